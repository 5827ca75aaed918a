"""Audio: generated tones, drums and noise, and every kind of file that a shop may hold."""

import numpy as np
import pytest

from onnx_files import sound_network
from penchant.errors import DataError, MissingExtraError
from penchant.features.encoders import audio_files
from penchant.features.encoders.audio import LibrosaAudio, OnnxAudio
from penchant.testing.encoders import FileEncoderSuite, need, run

soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed: extra audio")

RATE = 22_050


def tones(seed, seconds=2.0, rate=RATE):
    """Notes of a scale, a third of a second each, with three overtones."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    note = 220 * 2 ** (rng.integers(0, 24, 1000)[(t * 3).astype(int)] / 12)
    phase = 2 * np.pi * np.cumsum(note) / rate
    return sum(np.sin(n * phase) / n**2 for n in (1, 2, 3, 4)) * rng.uniform(0.05, 0.4)


def drums(seed, seconds=2.0, rate=RATE):
    """Beats of decaying noise and a falling thump, two to six a second."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    since = t % (1 / rng.uniform(2, 6))
    thump = np.sin(2 * np.pi * 60 * since * (1 + np.exp(-40 * since))) * np.exp(-12 * since)
    return (thump + 0.5 * rng.normal(size=len(t)) * np.exp(-60 * since)) * rng.uniform(0.05, 0.4)


def noise(seed, seconds=2.0, rate=RATE):
    """Hiss, smoothed over one to six samples."""
    rng = np.random.default_rng(seed)
    width = rng.integers(1, 7)
    hiss = np.convolve(rng.normal(size=round(seconds * rate)), np.ones(width) / width, "same")
    return hiss * rng.uniform(0.02, 0.2)


def save(folder, name, sound, rate=RATE, **options):
    soundfile.write(folder / name, sound, rate, **options)
    return str(folder / name)


class AudioSuite(FileEncoderSuite):
    def good(self, folder):
        return [
            save(folder, "tones.wav", tones(0)),
            save(folder, "drums.flac", drums(1)),
            save(folder, "noise.ogg", noise(2)),
            save(folder, "stereo.mp3", np.stack([tones(3), drums(3)], axis=1)),
            save(folder, "telephone.wav", tones(4, rate=8000), 8000),
        ]

    def bad(self, folder):
        save(folder, "whole.flac", drums(1))
        whole = (folder / "whole.flac").read_bytes()
        (folder / "damaged.flac").write_bytes(whole[:2000] + b"\x55" * 2000 + whole[4000:])
        (folder / "header.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt ")
        (folder / "page.mp3").write_bytes(b"<html>not found</html>" * 50)
        (folder / "empty.mp3").touch()
        odd = tones(0)
        odd[1000] = np.nan
        return {
            save(folder, "silence.wav", np.zeros(RATE)): "silent",
            save(folder, "hush.wav", 1e-5 * noise(0)): "silent",
            save(folder, "short.wav", tones(0, 0.05)): "too short: 50 ms of at least 100",
            save(folder, "none.wav", np.zeros(0)): "too short: 0 ms",
            save(folder, "nan.wav", odd, subtype="FLOAT"): "not finite",
            save(folder, "many.wav", np.zeros((10, 17))): "odd: 17 channels",
            str(folder / "header.wav"): "not a sound",
            str(folder / "page.mp3"): "not a sound",
            str(folder / "empty.mp3"): "empty",
            str(folder / "none.mp3"): "no such file",
            str(folder): "not a file",
        }

    def test_only_the_first_minute_is_read_and_that_is_counted(self, tmp_path):
        first = tones(0, 60)
        long = save(tmp_path, "long.wav", np.concatenate([first, noise(0, 20)]))
        result = run(self.encoder(), [long, save(tmp_path, "minute.wav", first)])
        assert result.cut == ("i0",)
        np.testing.assert_allclose(result.rows[0], result.rows[1], atol=1e-5)

    def test_the_first_half_of_a_file_is_a_sound(self, tmp_path):
        whole = save(tmp_path, "whole.wav", drums(0, 4))
        half = tmp_path / "half.wav"
        half.write_bytes((tmp_path / "whole.wav").read_bytes()[: 44 + 2 * 2 * RATE])
        begun = save(tmp_path, "begun.wav", soundfile.read(whole)[0][: 2 * RATE])
        rows = run(self.encoder(), [str(half), begun]).rows
        np.testing.assert_allclose(rows[0], rows[1], atol=1e-4)

    def test_channels_are_averaged(self, tmp_path):
        one = tones(0)
        both = save(tmp_path, "both.wav", np.stack([one, one], axis=1))
        rows = run(self.encoder(), [both, save(tmp_path, "one.wav", one)]).rows
        np.testing.assert_allclose(rows[0], rows[1], atol=1e-5)
        opposite = save(tmp_path, "opposite.wav", np.stack([one, -one], axis=1))
        assert run(self.encoder(), [opposite]).unread[0].reason == "silent"


class TestLibrosaAudio(AudioSuite):
    def encoder(self):
        need("librosa", "audio")
        return LibrosaAudio()

    def others(self):
        return [LibrosaAudio(seconds=30)]

    def test_tones_drums_and_noise_are_told_apart(self, tmp_path):
        kinds = [kind for kind in (tones, drums, noise) for _ in range(8)]
        sources = [
            save(tmp_path, f"{n}.wav", kind(n, seconds=1 + n % 4)) for n, kind in enumerate(kinds)
        ]
        rows = run(self.encoder(), sources).rows
        rows = rows - rows.mean(axis=0)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        near = rows @ rows.T
        np.fill_diagonal(near, -1)
        nearest = np.argsort(-near, axis=1)[:, :3]
        for place, kind in enumerate(kinds):
            assert [kinds[other] for other in nearest[place]] == [kind] * 3

    def test_loudness_and_rate_change_little(self, tmp_path):
        sources = [
            save(tmp_path, "loud.wav", drums(0)),
            save(tmp_path, "soft.wav", drums(0) / 10, subtype="FLOAT"),
            save(tmp_path, "fine.wav", drums(0, rate=44_100), 44_100),
            save(tmp_path, "other.wav", drums(5)),
            save(tmp_path, "tones.wav", tones(0)),
        ]
        rows = run(self.encoder(), sources).rows
        soft, fine, other, tonal = np.linalg.norm(rows[1:] - rows[0], axis=1)
        assert soft < 0.02 * tonal
        assert fine < other < tonal

    def test_onsets_are_counted(self, tmp_path):
        t = np.arange(4 * RATE) / RATE
        beats = [
            save(
                tmp_path,
                f"{rate}.wav",
                np.sin(2 * np.pi * 200 * t) * np.exp(-30 * (t % (1 / rate))),
            )
            for rate in (2, 5)
        ]
        rows = run(self.encoder(), beats).rows
        assert 4 * rows[:, -1] == pytest.approx([2, 5], abs=0.5)


class TestOnnxAudio(AudioSuite):
    shape = "batch", "samples"

    @pytest.fixture(autouse=True)
    def _network(self, tmp_path_factory):
        self.folder = tmp_path_factory.mktemp("network")
        self.path = sound_network(self.folder / "network.onnx", self.shape)

    def encoder(self):
        return OnnxAudio(self.path)

    def others(self):
        return [OnnxAudio(self.path, rate=8000), OnnxAudio(self.path, seconds=5)]


class TestOnnxAudioWindows(TestOnnxAudio):
    shape = 1, 1, 8000


def test_networks_that_do_not_fit_are_told(tmp_path):
    with pytest.raises(DataError, match="expected an input of samples"):
        assert OnnxAudio(sound_network(tmp_path / "spectrogram.onnx", (1, 64, 100))).width


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    with pytest.raises(MissingExtraError, match=r"\.\[audio\]"):
        audio_files.samples(b"", 16_000, 60, 0.1)
