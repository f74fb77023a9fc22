"""The application for gunicorn and other WSGI servers: `gunicorn wsgi:app`.

On PostgreSQL the jobs are run by `trialimg worker`; on SQLite one of these processes, which holds a lock, runs them.
"""

from trialimg.app import create_app
from trialimg.casework.services import services
from trialimg.worker import start_embedded

app = create_app()
with app.app_context():
    _settings = services().settings
if _settings.worker and not _settings.on_postgresql:
    start_embedded(app)
