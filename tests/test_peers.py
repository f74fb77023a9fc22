"""The peers our promises are proved on are the ones we believe them to be."""

import os
import socket
import urllib.error
import urllib.request

import pytest

from tests import peers


@pytest.mark.orthanc
def test_orthanc_wants_a_password_and_survives_being_killed(tmp_path):
    peers.require(peers.missing_orthanc())
    with peers.orthanc(tmp_path / "o") as peer:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(peer.url + "/system", timeout=5)
        assert refused.value.code == 401
        assert peer.rest("/system")["DicomPort"] == peer.dicom_port
        assert "dicom-web" in peer.rest("/plugins")
        peer.kill()
        with pytest.raises(OSError):
            peer.rest("/system")
        peer.start()
        assert peer.rest("/statistics")["CountInstances"] == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", peer.http_port), 1)


@pytest.mark.postgresql
def test_postgresql_takes_connections_and_leaves_nothing(tmp_path):
    peers.require(peers.missing_postgresql())
    import psycopg

    with peers.postgresql(tmp_path) as peer:
        plain = peer.url.replace("+psycopg", "")
        with psycopg.connect(plain) as connection:
            assert connection.execute("SELECT 6 * 7").fetchone() == (42,)
        peer.stop()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(plain, connect_timeout=2)
        peer.start()
        psycopg.connect(plain).close()
    assert not peer.folder.exists()


def test_storescp_listens(tmp_path):
    peers.require(peers.missing_storescp())
    with peers.storescp(tmp_path) as peer:
        socket.create_connection(("127.0.0.1", peer.port), 1).close()


def test_the_browser_is_a_program_that_can_be_run():
    peers.require(peers.missing_chromium())
    assert os.access(peers.chromium_path(), os.X_OK)


def test_a_missing_peer_skips_here_and_fails_in_ci(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="not there"):
        peers.require("not there")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="not there"):
        peers.require("not there")
    peers.require(None)
