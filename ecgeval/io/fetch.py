"""Files of a published data set, downloaded once, each checked against the publisher's SHA-256."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from ecgeval.errors import DataError
from ecgeval.parallel import Progress, quiet

__all__ = ["Remote", "cache_folder"]

PHYSIONET = "https://physionet.org/files"
CONNECTIONS = 8
TIMEOUT_S = 60
RETRIES = 2


def cache_folder() -> Path:
    """Return where downloads are kept: ECGEVAL_CACHE, or the user's cache folder."""
    import pooch

    return Path(os.environ.get("ECGEVAL_CACHE") or pooch.os_cache("ecgeval"))


class Remote:
    """A project on PhysioNet, or on a mirror of it laid out the same way.

    Parameters
    ----------
    project : str
        Path of one version, for example ``ludb/1.0.1``.
    base : str, optional
        Address above the project; ECGEVAL_MIRROR or PhysioNet by default.
    retries : int, optional
        Further attempts at a file that fails; `RETRIES` by default.

    Notes
    -----
    The publisher's ``SHA256SUMS.txt`` is fetched first and every other file is checked against
    it. A file enters the cache only whole and checked, so an interrupted run continues with the
    file it stopped at.
    """

    def __init__(
        self, project: str, *, base: str | None = None, retries: int | None = None
    ) -> None:
        root = (base or os.environ.get("ECGEVAL_MIRROR") or PHYSIONET).rstrip("/")
        self.project = project
        self.url = f"{root}/{project}/"
        self.folder = cache_folder() / project
        self.retries = RETRIES if retries is None else retries
        self._sums: dict[str, str] | None = None

    def fetch(self, names: Iterable[str], *, progress: Progress = quiet) -> Path:
        """Make sure that these files are in the cache.

        Parameters
        ----------
        names : iterable of str
            Paths inside the project; names the publisher does not list are an error.

        Returns
        -------
        Path
            The project's folder in the cache.

        Raises
        ------
        DataError
            If a file cannot be had or is not what the publisher says it is.
        """
        import pooch

        names = list(names)
        sums = self.sums()
        unknown = [name for name in names if name not in sums]
        if unknown:
            raise DataError(f"{self.url}{unknown[0]}: the publisher lists no such file")
        store = pooch.create(self.folder, self.url, registry=sums, retry_if_failed=self.retries)
        download = pooch.HTTPDownloader(timeout=TIMEOUT_S)
        # A file that is there was checked when it came; its size is checked by whoever reads it.
        wanted = [name for name in names if not (self.folder / name).is_file()]
        # pooch's threads race to make a folder; make them all first.
        for folder in {(self.folder / name).parent for name in wanted}:
            folder.mkdir(parents=True, exist_ok=True)
        with _quiet_pooch(), ThreadPoolExecutor(CONNECTIONS) as pool:
            jobs = {pool.submit(store.fetch, name, downloader=download): name for name in wanted}
            try:
                for done, job in enumerate(as_completed(jobs), start=1):
                    with self._explained(jobs[job]):
                        job.result()
                    progress(f"download {self.project}", done, len(wanted))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return self.folder

    def sums(self) -> dict[str, str]:
        """Return the publisher's SHA-256 of every file."""
        if self._sums is None:
            import pooch

            with _quiet_pooch(), self._explained("SHA256SUMS.txt"):
                path = pooch.retrieve(
                    self.url + "SHA256SUMS.txt",
                    None,
                    "SHA256SUMS.txt",
                    self.folder,
                    downloader=pooch.HTTPDownloader(timeout=TIMEOUT_S),
                )
            lines = Path(path).read_text(encoding="utf-8").splitlines()
            pairs = [line.split(maxsplit=1) for line in lines if line.strip()]
            self._sums = {name.strip().lstrip("*"): f"sha256:{digest}" for digest, name in pairs}
        return self._sums

    @contextlib.contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        """Turn what a download raises into one sentence."""
        import requests

        hint = (
            "download it by hand and point ECGEVAL_DATA at the folder above it, set "
            "ECGEVAL_MIRROR to a mirror, or try again (finished files are kept)"
        )
        try:
            yield
        except requests.exceptions.HTTPError as error:
            status = error.response.status_code if error.response is not None else "an error"
            raise DataError(f"{self.url}{name}: the server answered {status}; {hint}") from error
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            raise DataError(f"{self.url}{name}: no connection and no local copy; {hint}") from error
        except ValueError as error:
            if "hash" not in str(error).lower():
                raise DataError(f"{self.url}{name}: {error}; {hint}") from error
            raise DataError(
                f"{self.url}{name}: SHA-256 differs from the publisher's SHA256SUMS.txt, the file "
                f"was not kept; {hint}"
            ) from error
        except (OSError, requests.exceptions.RequestException) as error:
            raise DataError(f"{self.url}{name}: download failed ({error}); {hint}") from error


@contextlib.contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Keep pooch's own log lines away; progress is reported by `fetch`."""
    import pooch

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
