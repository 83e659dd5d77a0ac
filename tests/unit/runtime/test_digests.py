import pytest

from services.runtime.digests import VALUE_LIMIT_CHARACTERS, IdentityDigests, normalise

KEY = bytes(32)


@pytest.mark.parametrize(
    ("kind", "written", "spelling"),
    [
        ("phone", "138 0013 8000", "+8613800138000"),
        ("phone", "+86-138-0013-8000", "+8613800138000"),
        ("phone", "0086 13800138000", "+8613800138000"),
        ("phone", "１３８００１３８０００", "+8613800138000"),
        ("phone", "+1 415 555 2671", "+14155552671"),
        ("email", " Li@Example.COM ", "li@example.com"),
        ("email", "李雷@例子.中国", "李雷@例子.中国"),
        ("card", "8800 1234-5678", "880012345678"),
        ("card", "ab12", "AB12"),
        ("member", "6F9619FF-8B86-D011-B42D-00C04FC964FF", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
        ("wechat", " oAbC-1 ", "oAbC-1"),
        ("app", "User-1", "User-1"),
        ("external", "x/1", "x/1"),
    ],
)
def test_an_identity_has_one_spelling(kind: str, written: str, spelling: str) -> None:
    assert normalise(kind, written) == spelling


@pytest.mark.parametrize(
    ("kind", "written", "spelling"),
    [("phone", "+8613800138000", "+8613800138000"), ("email", "li@example.com", "li@example.com")],
)
def test_normalising_twice_changes_nothing(kind: str, written: str, spelling: str) -> None:
    assert normalise(kind, normalise(kind, written)) == spelling


def test_a_phone_number_without_country_is_read_in_its_region() -> None:
    assert normalise("phone", "(415) 555-2671", region="US") == "+14155552671"


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("phone", "12"),
        ("phone", "call me"),
        ("email", "li@"),
        ("email", "li example.com"),
        ("card", " - "),
        ("member", "42"),
        ("app", ""),
        ("app", "   "),
        ("app", "a\nb"),
        ("app", "x" * (VALUE_LIMIT_CHARACTERS + 1)),
        ("fax", "1"),
    ],
)
def test_what_has_no_spelling_is_refused_without_being_quoted(kind: str, written: str) -> None:
    with pytest.raises(ValueError, match=r".") as refusal:
        normalise(kind, written)
    assert len(written.strip()) < 3 or written.strip() not in str(refusal.value)
    assert refusal.value.__cause__ is None or kind in ("phone", "member")


def test_equal_identities_meet_in_their_digest() -> None:
    digests = IdentityDigests(KEY)
    assert digests.digest("phone", "+8613800138000") == digests.digest("phone", normalise("phone", "13800138000"))


def test_the_same_value_of_another_kind_has_another_digest() -> None:
    digests = IdentityDigests(KEY)
    assert digests.digest("card", "13800138000") != digests.digest("app", "13800138000")


def test_a_digest_says_nothing_without_the_key() -> None:
    assert IdentityDigests(KEY).digest("card", "1") != IdentityDigests(b"\1" * 32).digest("card", "1")
    assert len(IdentityDigests(KEY).digest("card", "1")) == 32


def test_kind_and_value_cannot_be_shifted_into_each_other() -> None:
    digests = IdentityDigests(KEY)
    assert digests.digest("app", "x1") != digests.digest("appx", "1")
