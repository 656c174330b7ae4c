"""Credentials as NAVER's own tools read them."""

from pathlib import Path

import pytest

from bulkjobs.dataflow.credentials import find_credentials
from bulkjobs.errors import AccessError


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "configure"
    file.write_text(text, encoding="utf-8")
    return file


class TestEnvironment:
    @pytest.mark.parametrize("access", ["NCLOUD_ACCESS_KEY_ID", "NCLOUD_ACCESS_KEY"])
    @pytest.mark.parametrize("secret", ["NCLOUD_SECRET_ACCESS_KEY", "NCLOUD_SECRET_KEY"])
    def test_either_name_of_either_key_counts(self, access: str, secret: str) -> None:
        found = find_credentials({access: "a", secret: "s"})
        assert (found.access_key, found.secret_key) == ("a", "s")

    @pytest.mark.parametrize("only", ["NCLOUD_ACCESS_KEY_ID", "NCLOUD_SECRET_KEY"])
    def test_half_a_pair_is_an_error_and_not_a_reason_to_look_further(self, only: str, tmp_path: Path) -> None:
        with pytest.raises(AccessError, match="half a pair") as caught:
            find_credentials({only: "hush-hush"})
        assert "hush-hush" not in str(caught.value)

    def test_it_wins_over_the_file_of_ncloud_profile(self) -> None:
        found = find_credentials({"NCLOUD_ACCESS_KEY": "a", "NCLOUD_SECRET_KEY": "s", "NCLOUD_PROFILE": "other"})
        assert found.access_key == "a"

    def test_nothing_anywhere_says_what_to_do(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        with pytest.raises(AccessError) as caught:
            find_credentials({})
        assert caught.value.hint is not None
        assert "--sandbox" in caught.value.hint


class TestFile:
    def test_a_file_without_any_section_is_legal(self, tmp_path: Path) -> None:
        file = write(tmp_path, "ncloud_access_key_id = a\nncloud_secret_access_key = s\n")
        assert find_credentials({}, file=file).access_key == "a"

    def test_a_secret_may_hold_percent_and_equals_signs(self, tmp_path: Path) -> None:
        file = write(tmp_path, "[DEFAULT]\nncloud_access_key_id = a\nncloud_secret_access_key = s%(x)s=%=\n")
        assert find_credentials({}, file=file).secret_key == "s%(x)s=%="

    def test_a_profile_is_a_section_and_a_named_one_wins_over_the_environment(self, tmp_path: Path) -> None:
        file = write(tmp_path, "[dev]\nncloud_access_key_id = d\nncloud_secret_access_key = s\n")
        environment = {"NCLOUD_ACCESS_KEY": "a", "NCLOUD_SECRET_KEY": "s"}
        assert find_credentials(environment, "dev", file).access_key == "d"

    def test_ncloud_profile_chooses_the_section(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / ".ncloud").mkdir()
        write(tmp_path / ".ncloud", "[dev]\nncloud_access_key_id = d\nncloud_secret_access_key = s\n")
        assert find_credentials({"NCLOUD_PROFILE": "dev"}).access_key == "d"

    def test_a_profile_does_not_inherit_from_default(self, tmp_path: Path) -> None:
        file = write(tmp_path, "[DEFAULT]\nncloud_secret_access_key = hush\n[dev]\nncloud_access_key_id = d\n")
        with pytest.raises(AccessError, match="ncloud_secret_access_key is missing"):
            find_credentials({}, "dev", file)

    def test_an_unknown_profile_names_the_known_ones(self, tmp_path: Path) -> None:
        file = write(tmp_path, "[dev]\nncloud_access_key_id = d\nncloud_secret_access_key = s\n")
        with pytest.raises(AccessError) as caught:
            find_credentials({}, "prod", file)
        assert caught.value.hint == "profiles there: dev"

    @pytest.mark.parametrize("text", ["[a\nncloud_secret_access_key = hush", "[a]\nhush\n", "[a]\n[a]\nx = hush\n"])
    def test_a_broken_file_is_named_but_never_quoted(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(AccessError) as caught:
            find_credentials({}, file=write(tmp_path, text))
        assert "hush" not in f"{caught.value}{caught.value.hint}"
        assert caught.value.__suppress_context__

    def test_a_file_that_cannot_be_read_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(AccessError, match="cannot be read"):
            find_credentials({}, file=tmp_path / "nowhere")
