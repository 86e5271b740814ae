"""One file a search kernel: what is compared, and how alike two records are."""
