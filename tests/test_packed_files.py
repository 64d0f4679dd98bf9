import lzma

import pytest

from ptp_core.packed_files import SUFFIXES, find_packed, open_packed, packed, plain_name, read_packed

CONTENT = b"one line\n" * 500


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_contents_come_back_in_every_packing(tmp_path, suffix):
    file = tmp_path / f"a.json{suffix}"
    file.write_bytes(packed(CONTENT, suffix))
    assert read_packed(file) == CONTENT and read_packed(file, 10) == CONTENT[:10]
    assert find_packed(tmp_path, "a.json") == file and plain_name(file) == "a.json"
    assert packed(CONTENT, suffix) == file.read_bytes()
    with open_packed(file) as opened:
        assert opened.read(3) == b"one"
    assert (len(file.read_bytes()) < len(CONTENT)) == bool(suffix)


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_damage_is_a_sentence(tmp_path, suffix):
    whole = packed(CONTENT, suffix)
    for broken in (whole[: len(whole) // 2], b"neither", whole[:20] + b"xxxx" + whole[24:]):
        file = tmp_path / f"a.json{suffix}"
        file.write_bytes(broken)
        with pytest.raises(ValueError, match="damaged or cut off"):
            read_packed(file)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"b\.json"):
        find_packed(tmp_path, "b.json")
    assert lzma.decompress(packed(b"", ".xz")) == b""
