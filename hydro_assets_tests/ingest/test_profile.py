from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hydro_assets.errors import SettingsError
from hydro_assets.ingest.profile import Profile, load_profile, option_pairs, profile_of, profile_path, save_profile


def test_option_pairs__take_several_pairs_and_headers_with_commas() -> None:
    given = ["pH=field1,TDS=field2", "DHT_temp=Temp, °F (LGR S/N: 1, LBL: air)", "EC = cond"]
    assert option_pairs(given, "--map") == {
        "pH": "field1",
        "TDS": "field2",
        "DHT_temp": "Temp, °F (LGR S/N: 1, LBL: air)",
        "EC": "cond",
    }
    with pytest.raises(SettingsError, match="--map pH is no pair"):
        option_pairs(["pH"], "--map")


def test_profile__is_kept_as_toml_and_found_again(tmp_path: Path) -> None:
    profile = Profile().changed(
        map={"pH": "pH (1)"}, unit={"EC": "uS/cm"}, null=["ERR"], separator="tab", hold="15min", no_header=True
    )
    path = profile_path(tmp_path, "north")
    assert path == tmp_path / "profiles" / "north.toml"
    save_profile(profile, path)
    assert load_profile(path) == profile
    assert (profile.separator, profile.hold) == ("\t", timedelta(minutes=15))
    assert profile_path(tmp_path, "shared/north.toml") == Path("shared/north.toml")


def test_profile__options_of_a_call_add_to_what_is_kept() -> None:
    kept = Profile().changed(map={"pH": "a", "EC": "b"}, null=["ERR"], dates="dmy")
    now = kept.changed(map={"EC": "c"}, null=["OL"], dates=None, time="when")
    assert (now.map, now.null, now.dates, now.time) == ({"pH": "a", "EC": "c"}, ("ERR", "OL"), "dmy", "when")


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("separator", "ab", "'ab' is not one character"),
        ("encoding", "klingon", "'klingon' is no encoding"),
        ("timezone", "Berlin", "'Berlin' is not an IANA time zone"),
        ("long", "a,b", "needs three headers"),
        ("max_bad_lines", "few", "neither a number of lines nor a share"),
        ("dates", "ymd", "'dmy' or 'mdy'"),
        ("hold", "soon", "is not a duration"),
        ("skip", -1, "greater than or equal to 0"),
        ("colour", "red", "colour"),
    ],
)
def test_profile_of__says_what_is_wrong_with_an_option(option: str, value: object, sentence: str) -> None:
    with pytest.raises(SettingsError, match="hydro import --help") as error:
        profile_of({option: value}, "the options")
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("text", "lines", "allowed"), [("1%", 250, 2), ("0%", 250, 0), ("3", 10, 3), ("2.5 %", 100, 2)]
)
def test_profile__most_bad_lines_are_a_share_or_a_number(text: str, lines: int, allowed: int) -> None:
    assert Profile(max_bad_lines=text).bad_lines_allowed(lines) == allowed


def test_load_profile__a_damaged_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("map = [")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_profile(tmp_path / "a.toml")
    with pytest.raises(SettingsError, match="is no name of a profile"):
        profile_path(tmp_path, "../x")


def test_load_profile__that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    save_profile(Profile(hold=timedelta(minutes=5)), profile_path(tmp_path, "north"))
    with pytest.raises(SettingsError, match="no profile .*nort.toml; there are north"):
        load_profile(profile_path(tmp_path, "nort"))
    assert load_profile(profile_path(tmp_path, "nort"), is_new=True) == Profile()
