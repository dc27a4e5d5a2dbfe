"""Settings for the suite: the product's own, with values a test may use and no secret worth keeping."""

import atexit
import os
import shutil
import tempfile

from cryptography.fernet import Fernet

# Each process of the suite has a folder of its own, gone with it: tests that tamper must not meet each other.
_data = os.environ["IRCASE_DATA_DIR"] = tempfile.mkdtemp(prefix="ircase-test-")
atexit.register(shutil.rmtree, _data, ignore_errors=True)
os.environ["IRCASE_STATIC_DIR"] = tempfile.mkdtemp(prefix="static-", dir=_data)
os.environ.setdefault("IRCASE_SECRET_KEY", "only-for-the-test-suite-" + "x" * 40)
os.environ.setdefault("IRCASE_FIELD_KEYS", Fernet.generate_key().decode())
os.environ.setdefault("IRCASE_INSECURE_HTTP", "1")
os.environ.setdefault("IRCASE_ALLOWED_HOSTS", "localhost,127.0.0.1,testserver")
os.environ.setdefault("IRCASE_STATIC_STORAGE", "django.contrib.staticfiles.storage.StaticFilesStorage")
os.environ.setdefault("IRCASE_LOG_LEVEL", "WARNING")

from config.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
TIMELINE_REST_SECONDS = 0
# Most tests are one transaction that no other connection sees into: a worker's pulse, which has its own, would find its
# row gone and stop the work. Who tests the pulse beats by hand.
FIRST_BEAT_SECONDS = HEARTBEAT_SECONDS = 3_600.0
API_PER_TOKEN = API_PER_PERSON = 0  # a test that asks for limits sets them
# App tests never reach a broker: what they enqueue is looked at, or run by hand. Journeys use a real one.
CELERY_BROKER_URL = os.environ.get("IRCASE_TEST_BROKER", "memory://")
