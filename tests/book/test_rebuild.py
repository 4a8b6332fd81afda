"""How the folder that Sphinx reads follows the one that was laid out."""

from pathlib import Path

from ibkit.book.rebuild import follow


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def read(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_content_follows_and_files_that_stay_are_not_touched(tmp_path: Path) -> None:
    new, kept = tmp_path / "new", tmp_path / "kept"
    write(kept, same="1", other="2", gone="3", deep__gone="4", empty__deep__gone="5", turned__file="6")
    before = (kept / "same").stat()
    write(new, same="1", other="two", deep__more="7", turned="now a file")
    follow(new, kept)
    assert read(kept) == {"same": "1", "other": "two", "deep/more": "7", "turned": "now a file"}
    after = (kept / "same").stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    assert not new.exists()
    assert not (kept / "empty").exists()


def test_a_file_of_the_same_length_and_another_text_is_taken(tmp_path: Path) -> None:
    new, kept = tmp_path / "new", tmp_path / "kept"
    write(kept, page="abc")
    write(new, page="abd")
    follow(new, kept)
    assert read(kept) == {"page": "abd"}


def test_a_file_that_became_a_folder_is_replaced(tmp_path: Path) -> None:
    new, kept = tmp_path / "new", tmp_path / "kept"
    write(kept, page="x")
    write(new, page__inside="y")
    follow(new, kept)
    assert read(kept) == {"page/inside": "y"}
