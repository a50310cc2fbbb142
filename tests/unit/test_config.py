"""The table of settings: every source reaches every setting, in the right order, and wrong values are explained."""

import contextlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opperlite.config import SETTINGS, ConfigError, Setting, Settings, load, unknown_variables
from opperlite.values import (
    ADDRESS,
    CIDR,
    FOLDER,
    HOST,
    ORIGIN,
    SWITCH,
    URL,
    Choice,
    Duration,
    Invalid,
    Listing,
    Number,
    Optional,
    Size,
)

ROOT = Path(Path.cwd().anchor)

# For each kind of value two texts that differ from every default, and what they mean.
EXAMPLES: dict[type, list[tuple[str, Any]]] = {
    type(ADDRESS): [("::1", "::1"), ("media.example.com", "media.example.com")],
    type(CIDR): [("10.0.0.0/8", "10.0.0.0/8"), ("::1", "::1/128")],
    type(FOLDER): [(str(ROOT / "one"), ROOT / "one"), (str(ROOT / "two"), ROOT / "two")],
    type(HOST): [("Example.com", "example.com"), ("192.168.0.0/16", "192.168.0.0/16")],
    type(ORIGIN): [("https://a.example", "https://a.example"), ("*", "*")],
    type(URL): [("https://a.example/x/", "https://a.example/x"), ("http://b.example:1", "http://b.example:1")],
    Number: [("5", 5), ("6", 6)],
    Size: [("3MiB", 3 * 2**20), ("7KB", 7000)],
    Duration: [("90s", 90.0), ("1.5h", 5400.0)],
}


def examples(setting: Setting) -> list[tuple[str, Any]]:
    """Two texts for a setting, neither of them its default, with their values."""
    kind = setting.kind
    if isinstance(kind, type(SWITCH)):
        return [("no", False), ("yes", True)] if setting.default else [("yes", True), ("no", False)]
    if isinstance(kind, Choice):
        return [(word, word) for word in (*kind.words[::-1], *kind.words) if word != setting.default][:2]
    inner = kind.item if isinstance(kind, Listing) else kind.kind if isinstance(kind, Optional) else kind
    found = EXAMPLES[type(inner)]
    return [(text, (value,)) for text, value in found] if isinstance(kind, Listing) else found


def toml(name: str, text: str) -> str:
    return f"{name} = '{text}'\n"


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_source_reaches_every_setting_and_the_nearest_wins(setting: Setting, tmp_path: Path) -> None:
    (first, first_value), (second, second_value) = examples(setting)
    file = tmp_path / "opperlite.toml"
    file.write_text(toml(setting.name, first))
    variable = {setting.variable: second}
    default = getattr(Settings(), setting.name)

    def value(flags: dict[str, Any], env: dict[str, str], default_file: Path | None = None) -> Any:
        return getattr(load(flags, env, default_file), setting.name)

    assert value({}, {}) == default != first_value
    assert value({}, {}, file) == first_value
    assert value({"config": str(file)}, {}) == first_value
    assert value({}, {"OPPERLITE_CONFIG": str(file)}) == first_value
    assert value({}, variable, file) == second_value
    assert value({setting.name: first}, variable, file) == first_value
    assert value({setting.name: None}, variable) == second_value


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_default_is_a_value_that_its_own_kind_takes(setting: Setting) -> None:
    default = getattr(Settings(), setting.name)
    assert setting.kind.read(setting.kind.show(default) if default != () else []) == default


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
@pytest.mark.parametrize("source", ["flag", "variable", "file"])
def test_a_wrong_value_is_told_with_its_source_and_what_is_allowed(
    setting: Setting, source: str, tmp_path: Path
) -> None:
    wrong = "\0 no such value"
    file = tmp_path / "opperlite.toml"
    file.write_text(f'# settings\n\n{setting.name} = "\\u0000 no such value"\n' if source == "file" else "")
    flags = {setting.name: [wrong] if isinstance(setting.kind, Listing) else wrong} if source == "flag" else {}
    env = {setting.variable: wrong} if source == "variable" else {}
    origin = {"flag": setting.flag, "variable": setting.variable, "file": f"{file}, line 3"}[source]
    inner = setting.kind.item if isinstance(setting.kind, Listing) else setting.kind

    with pytest.raises(ConfigError) as caught:
        load(flags, env, file)

    assert str(caught.value).startswith(origin)
    assert "no such value" in str(caught.value)
    assert inner.allowed in str(caught.value)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().port = 1  # type: ignore[misc]
    assert set(msgspec.structs.asdict(Settings())) == {setting.name for setting in SETTINGS}


# ------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", "line 1: no setting is called 'prot'. Did you mean port?"),
        ("port = 1\nquota-bytes = 1", "line 2: no setting is called 'quota-bytes'. Did you mean quota_bytes?"),
        ("\n[server]\nport = 1", "line 2: no setting is called 'server'."),
        ("zzz = 1", "line 1: no setting is called 'zzz'."),
        ("port = ", "cannot be read as TOML"),
        ("port = true", "line 1: port: found True"),
        ("port = 1.0", "line 1: port: found 1.0"),
        ("upload_ttl = nan", "line 1: upload_ttl: found nan"),
        ("upload_ttl = -1", "line 1: upload_ttl: found -1"),
        ("catalog = [1]", "line 1: catalog: found 1"),
        ("allow_source = {}", "line 1: allow_source: found {}"),
    ],
)
def test_a_wrong_file_is_told_with_the_line(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "opperlite.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load({}, {}, file)
    assert message in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    file = tmp_path / "opperlite.toml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read as TOML"):
        load({}, {}, file)


def test_a_named_file_must_be_there_and_a_default_file_need_not(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    assert load({}, {}, missing) == Settings()
    with pytest.raises(ConfigError, match=r"--config: there is no file .*missing\.toml"):
        load({"config": str(missing)}, {})
    with pytest.raises(ConfigError, match="OPPERLITE_CONFIG"):
        load({}, {"OPPERLITE_CONFIG": str(missing)})


def test_toml_has_numbers_switches_and_arrays(tmp_path: Path) -> None:
    file = tmp_path / "opperlite.toml"
    file.write_text(
        "port = 0\nmax_file_size = 1000\nupload_ttl = 1.5\ncaption = false\nretention = 'none'\n"
        "allow_source = ['a.example', '10.0.0.0/8']\ncors_origin = 'https://a.example, https://b.example'\n"
    )
    settings = load({}, {}, file)
    assert (settings.port, settings.max_file_size, settings.upload_ttl) == (0, 1000, 1.5)
    assert (settings.caption, settings.retention) == (False, None)
    assert settings.allow_source == ("a.example", "10.0.0.0/8")
    assert settings.cors_origin == ("https://a.example", "https://b.example")


def test_relative_folders_start_where_they_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc" / "opperlite.toml"
    file.write_text("data = 'media'\ncatalog = ['models']\n")
    monkeypatch.chdir(tmp_path)
    assert load({}, {}, file).data == tmp_path / "etc" / "media"
    assert load({}, {}, file).catalog == (tmp_path / "etc" / "models",)
    assert load({}, {"OPPERLITE_DATA": "media"}).data == tmp_path / "media"
    assert load({"data": "media"}, {}).data == tmp_path / "media"
    assert load({"data": "~/media"}, {}).data == Path.home() / "media"


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert load({}, {"OPPERLITE_PORT": "", "OPPERLITE_ALLOW_SOURCE": ""}) == Settings()


def test_unknown_variables_are_told() -> None:
    env = {"OPPERLITE_PROT": "1", "OPPERLITE_CONFIG": "x", "OPPERLITE_PORT": "1", "OPPERLITE_ZZZ": "", "PATH": "/"}
    assert unknown_variables(env) == [
        "OPPERLITE_PROT names no setting and is ignored. Did you mean OPPERLITE_PORT?",
        "OPPERLITE_ZZZ names no setting and is ignored.",
    ]


# ------------------------------------------------------------------------------------------------ values

BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


@given(number=st.integers(0, 2**20), unit=st.sampled_from(sorted(BYTES)), space=st.sampled_from(["", " "]))
def test_a_size_is_its_number_times_its_unit(number: int, unit: str, space: str) -> None:
    for spelled in (unit, unit.lower(), unit.upper()):
        assert Size().read(f"{number}{space}{spelled}") == number * BYTES[unit]


@given(st.integers(0, 2**63 - 1))
def test_a_shown_size_reads_back(size: int) -> None:
    assert Size().read(Size().show(size)) == Size().read(size) == size


@given(st.integers(0, 2**10), st.sampled_from(["25", "5", "75"]))
def test_a_size_may_have_a_fraction_where_it_makes_whole_bytes(whole: int, fraction: str) -> None:
    assert Size().read(f"{whole}.{fraction}KiB") == round(float(f"{whole}.{fraction}") * 1024)
    with pytest.raises(Invalid):
        Size().read(f"{whole}.{fraction}B")


@given(number=st.integers(0, 36_500), unit=st.sampled_from(sorted(SECONDS)))
def test_a_duration_is_its_number_times_its_unit(number: int, unit: str) -> None:
    assert Duration().read(f"{number}{unit}") == number * SECONDS[unit]


@given(st.one_of(st.integers(0, 36_500 * 86_400), st.integers(0, 10**9).map(lambda n: n / 1000)))
def test_a_shown_duration_reads_back(seconds: float) -> None:
    assert Duration().read(Duration().show(seconds)) == pytest.approx(seconds, rel=1e-12)


@given(st.one_of(st.text(), st.floats(), st.booleans(), st.none(), st.lists(st.integers()), st.integers(max_value=-1)))
def test_a_quantity_is_read_or_refused_and_never_out_of_range(raw: object) -> None:
    for kind, most in ((Size(), 2**63 - 1), (Duration(), 36_500 * 86_400), (Number(0, 9), 9)):
        with contextlib.suppress(Invalid):
            assert 0 <= kind.read(raw) <= most


@pytest.mark.parametrize("raw", ["", "B", "1.2.3KB", "1e3", "-1", "+1", "0x10", "1_000", "٣", "1 PB", "1K", "9" * 5000])
def test_what_is_no_size(raw: str) -> None:
    with pytest.raises(Invalid):
        Size().read(raw)


@pytest.mark.parametrize("raw", ["", "1w", "1h30m", "inf", "nan", "-1s", "1 hour", "99999999999d"])
def test_what_is_no_duration(raw: str) -> None:
    with pytest.raises(Invalid):
        Duration().read(raw)


def test_bounds_are_included() -> None:
    number = Number(2, 4)
    assert [number.read(text) for text in ("2", " 4 ")] == [2, 4]
    for outside in ("1", "5"):
        with pytest.raises(Invalid, match="a whole number from 2 to 4"):
            number.read(outside)
    with pytest.raises(Invalid):
        Duration(1.0).read("0.5s")
    with pytest.raises(Invalid):
        Size(10).read("9")


@pytest.mark.parametrize(
    "raw",
    [
        "ftp://a.example",
        "a.example",
        "https://",
        "https://user:secret@a.example",
        "https://a.example/?q=1",
        "https://a.example/#x",
        "https://a.example:99999",
        "https://[::1",
        "https://a.example/ x",
        "",
    ],
)
def test_what_is_no_base_url(raw: str) -> None:
    for kind in (URL, ORIGIN):
        with pytest.raises(Invalid):
            kind.read(raw)


@pytest.mark.parametrize("raw", ["", "a b", "-a", "a-", "a..b", "a/b", "1.2.3", "999.1.1.1", "10.0.0.1/8", "a" * 64])
def test_what_is_no_host(raw: str) -> None:
    for kind in (HOST, ADDRESS):
        with pytest.raises(Invalid):
            kind.read(raw)


def test_networks_are_not_addresses_to_listen_on() -> None:
    assert ADDRESS.read("[::1]") == "::1"
    with pytest.raises(Invalid):
        ADDRESS.read("10.0.0.0/8")
    with pytest.raises(Invalid):
        CIDR.read("example.com")


def test_a_list_keeps_order_without_repeats() -> None:
    assert Listing(HOST).read("b.example, a.example ,,B.example") == ("b.example", "a.example")
    assert Listing(HOST).read(["b.example", "a.example"]) == ("b.example", "a.example")
    assert Optional(URL).read("None") is None
