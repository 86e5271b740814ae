"""One run against another: which estimates moved, which verdicts changed, what is new or gone."""
