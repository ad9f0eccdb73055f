"""Reading a bundle from disk."""

import pytest

from connectors.policy_files import read_policy_dir
from risk.policy import PolicyError


def test_a_bundle_is_every_toml_file_of_its_directory(tmp_path):
    (tmp_path / "policy.toml").write_text("# 政策\n", encoding="utf-8")
    (tmp_path / "rules.toml").write_bytes(b"a = 1\r\n")
    (tmp_path / "README.md").write_text("for people")
    (tmp_path / ".policy.toml.swp").write_text("an editor's")
    assert read_policy_dir(tmp_path) == {"policy.toml": "# 政策\n", "rules.toml": "a = 1\r\n"}


def test_the_mark_that_windows_editors_put_in_front_is_no_part_of_the_text(tmp_path):
    (tmp_path / "rules.toml").write_bytes(b"\xef\xbb\xbfa = 1\n")
    assert read_policy_dir(tmp_path) == {"rules.toml": "a = 1\n"}


def test_what_is_not_toml_may_not_hide_in_a_bundle(tmp_path):
    (tmp_path / "limits.tmol").write_text("")
    (tmp_path / "old").mkdir()
    with pytest.raises(PolicyError) as caught:
        read_policy_dir(tmp_path)
    assert [problem.split()[0] for problem in caught.value.problems] == ["limits.tmol", "old"]


def test_a_file_that_is_not_utf8_is_named(tmp_path):
    (tmp_path / "rules.toml").write_bytes("规则".encode("gb18030"))
    with pytest.raises(PolicyError, match=r"rules.toml cannot be read"):
        read_policy_dir(tmp_path)


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PolicyError, match=r"nowhere is no directory"):
        read_policy_dir(tmp_path / "nowhere")
