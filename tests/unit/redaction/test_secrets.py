"""Secrets in texts, by what the environment says and by their form; and what looks like one and is none."""

from __future__ import annotations

import base64
import json

import pytest
from opentelemetry.sdk.resources import OsResourceDetector, ProcessResourceDetector

from ocr_otel import semconv
from ocr_otel.redaction import REDACTED, Redactor, is_secret_name, redact, redact_attributes

ENVIRONMENT = {
    "WANDB_API_KEY": "local-0123456789",
    "DB_URL": "postgres://trainer:p%40ss-w0rd@db/labels",
    "REPO": "https://token-of-sixteen-or-more@git.example/x.git",
    "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20bearer-of-mine,x-tenant=tenant-of-mine",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "authorization=Basic%20" + base64.b64encode(b"me:basic-of-mine").decode(),
    "SERVICE_ACCOUNT_CREDENTIALS": json.dumps({"client_secret": "secret-in-json", "client_id": "not-this-one"}),
    "SSH_PRIVATE_KEY": "first-line-of-a-long-key\nsecond-line-of-a-long-key",
    "MyServicePassword": "camel-case-value",
    "DB_PASSWORD": 'with "quotes" and \\',
    "SHORT_TOKEN": "true",
    "TOKENIZERS_PARALLELISM": "false-and-long-enough",
    "GIT_AUTHOR_NAME": "author-and-no-secret",
    "PWD": "/home/somebody/work",
}


@pytest.mark.parametrize(
    "secret",
    [
        "local-0123456789",
        "p@ss-w0rd",
        "p%40ss-w0rd",
        "token-of-sixteen-or-more",
        "bearer-of-mine",
        "Bearer%20bearer-of-mine",
        "tenant-of-mine",
        "basic-of-mine",
        "secret-in-json",
        "second-line-of-a-long-key",
        "camel-case-value",
        'with "quotes" and \\',
        json.dumps('with "quotes" and \\'),
        repr('with "quotes" and \\'),
        base64.b64encode(b"local-0123456789").decode(),
    ],
)
def test_values_of_the_environment_are_found_in_every_notation(secret: str) -> None:
    told = Redactor(ENVIRONMENT)(f"it failed with <{secret}> at last")
    assert secret.strip("\"'") not in told
    assert told.startswith("it failed with <")
    assert told.endswith("> at last")


@pytest.mark.parametrize("word", ["true", "false-and-long-enough", "author-and-no-secret", "/home/somebody/work"])
def test_values_that_are_no_secrets_stay(word: str) -> None:
    assert Redactor(ENVIRONMENT)(f"it is {word}") == f"it is {word}"


FORMS = {
    "key and value": ("password=hunter2, lr=0.1", "hunter2"),
    "a dictionary": ("{'api_key': 'abc', 'lr': 0.1}", "abc"),
    "JSON": ('{"client_secret": "a b c"}', "a b c"),
    "a tuple": ("('password', 'hunter2')", "hunter2"),
    "a repr": ("Namespace(hf_token='xyzzy', lr=1)", "xyzzy"),
    "camel case": ("apiKey=zzzz1234", "zzzz1234"),
    "an option": ("train.py --password hunter2 --lr 0.1", "hunter2"),
    "options in a list": ("['--hf-token', 'xyzzy1']", "xyzzy1"),
    "a header": ("Authorization: Digest username=a", "username=a"),
    "a bearer": ("sent Bearer abcdefgh.ijkl", "abcdefgh.ijkl"),
    "basic": ("sent Basic bWU6aGlkZGVu", "bWU6aGlkZGVu"),
    "a cookie": ("Cookie: session=1; other=2", "session=1"),
    "a URL": ("https://jane:tok@git.example/x.git", "jane:tok"),
    "a signed URL": ("https://s.example/x?X-Amz-Signature=abc&lr=1", "abc"),
    "AWS": ("key AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    "GitHub": ("ghp_" + "a1" * 18, "ghp_" + "a1" * 18),
    "GitHub, fine": ("github_pat_" + "a1_" * 20, "github_pat_" + "a1_" * 20),
    "GitLab": ("glpat-" + "x" * 20, "glpat-" + "x" * 20),
    "Hugging Face": ("hf_" + "a" * 34, "hf_" + "a" * 34),
    "Slack": ("xoxb-1234567890-abcdef", "xoxb-1234567890-abcdef"),
    "OpenAI": ("sk-proj-" + "a1" * 12, "sk-proj-" + "a1" * 12),
    "JWT": ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"),
    "PEM": ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "MIIE"),
    "PEM that was cut": ("-----BEGIN PRIVATE KEY-----\nMIIE", "MIIE"),
}


@pytest.mark.parametrize(("text", "secret"), FORMS.values(), ids=FORMS)
def test_forms_of_secrets_are_found_without_the_environment(text: str, secret: str) -> None:
    told = Redactor({})(f"{text} end")
    assert secret not in told
    assert REDACTED in told


@pytest.mark.parametrize(
    "text",
    [
        "Unexpected token in line 3",
        "max_tokens=4096, pad_token_id=0, use_auth=True",
        "Basic operations of the author",
        "size mismatch for layer.weight: copying a param with shape torch.Size([1, 8])",
        "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!",
        "https://pytorch.org/docs/stable/notes/cuda.html",
        "keys: image, label",
        "secretary: none",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor({})(text) == text


def test_no_name_of_ours_is_one_of_a_secret() -> None:
    ours = [value for name, value in vars(semconv).items() if name.isupper() and isinstance(value, str)]
    detected = [*ProcessResourceDetector().detect().attributes, *OsResourceDetector().detect().attributes]
    assert len(ours) > 100
    assert [name for name in (*ours, *semconv.all_metrics(), *detected) if is_secret_name(name)] == []


def test_attributes_lose_secrets_in_names_and_in_texts() -> None:
    told = redact_attributes(
        {"team.api_key": "abc", "db.password": ["abc", "d"], "note": "password=hunter2",
         "all": ("Bearer abcdefghi", "x"), "tokens": 7, "plain": "text", "on": True}
    )  # fmt: skip
    assert told == {
        "team.api_key": REDACTED, "db.password": [REDACTED, REDACTED], "note": f"password={REDACTED}",
        "all": (f"Bearer {REDACTED}", "x"), "tokens": 7, "plain": "text", "on": True,
    }  # fmt: skip


def test_a_variable_that_is_set_later_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert redact("value-set-later") == "value-set-later"
    monkeypatch.setenv("HF_TOKEN", "value-set-later")
    assert redact("value-set-later") == REDACTED
