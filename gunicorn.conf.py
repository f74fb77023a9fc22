"""How gunicorn serves `wsgi:app`; it reads this file by itself, and its command line wins.

Threads, since an upload is long and mostly waits; a worker process that only waited for one would be killed.
"""

import gc

from trialimg.settings import read_settings

_settings, _ = read_settings()

bind = f"{_settings.host}:{_settings.port}"
worker_class = "gthread"
threads = 12
workers = 2  # on SQLite one of them, which holds the lock, runs the jobs as well
timeout = 120
graceful_timeout = 60
# Nobody's address, query or file name belongs in a log of ours: the application logs what an operator needs.
accesslog = None


def post_worker_init(_worker: object) -> None:
    """Let what is loaded by now stay: walking through it in the middle of a page takes 100 ms and frees nothing.

    A page makes thousands of small values and drops them at its end: looking for circles after every 700 finds none.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def worker_exit(_server: object, worker: object) -> None:
    """Let the step that runs put itself back before the process ends."""
    from trialimg.worker import stop_embedded

    app = getattr(worker, "wsgi", None)
    if app is not None:
        stop_embedded(app)
