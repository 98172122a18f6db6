"""The files for Hydra, the structured configurations and the arguments of the callbacks say the same."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import ConfigCompositionException
from hydra.utils import instantiate
from jsonargparse import ArgumentParser
from lightning.pytorch import Callback

import ocr_otel
from ocr_otel.callbacks.arguments import settings_as_arguments
from ocr_otel.configs import store
from ocr_otel.settings import Settings, variables

FILES = sorted((Path(ocr_otel.__file__).parent / "configs" / "callbacks").glob("*.yaml"))


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in variables():
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def registered(tmp_path: Path) -> Iterator[None]:
    (tmp_path / "empty.yaml").write_text("{}\n")
    before = ConfigStore.instance().repo
    ConfigStore.instance().repo = {**before}
    store.register("our_callbacks")
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        yield
    ConfigStore.instance().repo = before


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_has_the_arguments_of_its_callback_with_their_defaults(file: Path) -> None:
    written = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert list(written) == [file.stem]
    keys = written[file.stem]
    target, made = store.TARGETS[file.stem]
    assert keys.pop("_target_") == target
    parameters = inspect.signature(made.__init__).parameters
    assert set(keys) <= set(parameters)
    if file.stem != "ocr_otel":
        assert set(keys) == set(parameters) - {"self"}
    bounds = {"gpu_utilization_min", "gpu_throttled_max", "io_pressure_max"}
    assert {name: value for name, value in keys.items() if name not in bounds} == {
        name: parameters[name].default for name in keys if name not in bounds
    }


def test_each_configuration_has_a_file_and_makes_a_callback_of_lightning() -> None:
    assert [file.stem for file in FILES] == sorted(store.TARGETS)
    for file in FILES:
        (made,) = (instantiate(each) for each in yaml.safe_load(file.read_text(encoding="utf-8")).values())
        assert isinstance(made, Callback)


def test_every_setting_is_an_argument() -> None:
    assert set(settings_as_arguments()) == set(Settings.model_fields) - {"enabled"}
    signature = inspect.signature(ocr_otel.OTelCallback)
    assert set(signature.parameters) == {"batch_size", "settings", *Settings.model_fields}


@pytest.mark.parametrize("name", sorted(store.TARGETS))
def test_a_structured_configuration_composes_and_makes_its_callback(registered: None, name: str) -> None:
    composed = compose("empty", overrides=[f"+our_callbacks={name}"])
    made = instantiate(composed.our_callbacks[name])
    assert type(made).__name__ == store.TARGETS[name][0].partition(".")[2]


def test_a_structured_configuration_takes_lists_and_refuses_a_wrong_type_and_a_wrong_key(registered: None) -> None:
    chosen = ["+our_callbacks=[ocr_otel,profiler]", "our_callbacks.ocr_otel.profile=[start,anomaly]"]
    made = instantiate(compose("empty", overrides=chosen).our_callbacks.ocr_otel)
    assert made.asked.given["profile"] == ["start", "anomaly"]
    for wrong in ("our_callbacks.ocr_otel.batch_spans=many", "our_callbacks.profiler.output_dir=here"):
        with pytest.raises(ConfigCompositionException):
            compose("empty", overrides=[*chosen, wrong])


def test_command_lines_of_jsonargparse_show_what_each_setting_means(capsys: pytest.CaptureFixture[str]) -> None:
    parser = ArgumentParser()
    parser.add_subclass_arguments(Callback, "callback")
    with pytest.raises(SystemExit):
        parser.parse_args(["--callback.help=ocr_otel.OTelCallback"])
    shown = " ".join(capsys.readouterr().out.split())
    for name in settings_as_arguments():
        assert f"--callback.{name}" in shown
        # As it is wrapped: the first words.
        assert " ".join(Settings.model_fields[name].description.split()[:4]) in shown  # type: ignore[union-attr]
    assert "Whether anything is recorded" in shown
    with pytest.raises(SystemExit):
        parser.parse_args(["--callback=ocr_otel.OTelCallback", "--callback.batch_spans=many"])
    assert "batch_spans" in capsys.readouterr().err
