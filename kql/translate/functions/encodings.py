"""Hashes and encodings: base64, URLs, hexadecimal digits.

https://learn.microsoft.com/en-us/kusto/query/scalar-functions
"""

from __future__ import annotations

from kql.translate import conversions
from kql.translate.functions.maths import whole
from kql.translate.functions.registry import Invocation, refuse, scalar, template
from kql.translate.values import Sql, maybe_null, of_type

_BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_GUID_ORDER = (3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15)
"""Where .NET's binary form of a guid keeps each byte of its text: the first three groups are turned round."""


def _hash(name: str, function: str) -> None:
    def build(call: Invocation) -> Sql:
        """Of nothing, nothing: Kusto has no hash of an empty text."""
        value = call.values[0]
        if value.type == "dynamic":
            raise call.mismatch(0, "no dynamic", "tostring(...) makes a string of it.")
        text = conversions.to_string(value)
        return maybe_null(f"{function}(nullif({text.text}, ''))", "string", value)

    scalar(name, 1)(build)


_hash("hash_md5", "md5")
_hash("hash_sha1", "sha1")
_hash("hash_sha256", "sha256")
refuse(
    "hash hash_xxhash64 hash_many hash_combine",
    "Which bytes of a value it hashes is not published: use hash_sha256(), or compare the values themselves.",
)

template(
    "base64_encode_tostring base64_encodestring", ["string"], "string", "to_base64(encode({0}))",
    page="base64-encode-tostring-function",
)  # fmt: skip


def _decoded(text: str) -> str:
    """The bytes; NULL for what is no base64, which is told by a pattern: an error caught per row costs far more."""
    return f"CASE WHEN regexp_matches({text}, '{_BASE64}') THEN from_base64({text}) END"


@scalar("base64_decode_tostring base64_decodestring", 1, page="base64-decode-tostring-function")
def base64_decode(call: Invocation) -> Sql:
    """Empty where the text is no base64, or its bytes are no UTF-8."""
    value = call.string(0)
    return maybe_null(f"TRY(decode({_decoded(value.text)}))", "string", value)


@scalar("base64_decode_toarray", 1)
def base64_array(call: Invocation) -> Sql:
    value = call.string(0)
    digits = f"hex({_decoded(value.text)})"
    octets = f"list_transform(range(1, length(h), 2), lambda i: CAST('0x' || substring(h, i, 2) AS INTEGER))"  # noqa: F541
    return maybe_null(f"to_json(list_transform([{digits}], lambda h: {octets})[1])", "dynamic", value)


@scalar("base64_decode_toguid", 1)
def base64_guid(call: Invocation) -> Sql:
    value = call.string(0)
    octets = " || ".join(f"substring(h, {2 * at + 1}, 2)" for at in _GUID_ORDER)
    digits = f"hex({_decoded(value.text)})"
    return maybe_null(f"list_transform([{digits}], lambda h: TRY_CAST({octets} AS UUID))[1]", "guid", value)


@scalar("base64_encode_fromguid", 1)
def guid_base64(call: Invocation) -> Sql:
    value = call.as_type(0, "guid")
    digits = f"replace(CAST({value.text} AS VARCHAR), '-', '')"
    octets = " || ".join(f"substring({digits}, {2 * at + 1}, 2)" for at in _GUID_ORDER)
    return maybe_null(f"to_base64(unhex({octets}))", "string", value)


@scalar("base64_encode_fromarray", 1)
def array_base64(call: Invocation) -> Sql:
    value = call.dynamic(0)
    octets = f"TRY_CAST({value.text} AS UTINYINT[])"
    digits = f"array_to_string(list_transform({octets}, lambda o: printf('%02x', o)), '')"
    return maybe_null(f"to_base64(unhex({digits}))", "string", value)


def _url_encoded(call: Invocation, space: str) -> Sql:
    """Microsoft's page shows lower-case digits and the space; of ``!*()'~`` it does not say what becomes of them."""
    value = call.string(0)
    encoded = f"url_encode({value.text})"
    piece = "CASE WHEN i > 1 THEN lower(p[1:2]) || p[3:] ELSE p END"
    lowered = f"list_transform(str_split({encoded}, '%'), lambda p, i: {piece})"
    joined = f"replace(array_to_string({lowered}, '%'), '%20', '{space}')"
    doubt = f"error('{call.name}() of !, *, (, ), ~ or an apostrophe: what Kusto makes of them is not published.')"
    return of_type(
        f"CASE WHEN regexp_matches({value.text}, '[!*()~'']') THEN {doubt} ELSE {joined} END", "string", value
    )


@scalar("url_encode", 1, note="A text with one of !*()~' stops the query: what becomes of them is not published.")
def url_encode(call: Invocation) -> Sql:
    return _url_encoded(call, "+")


@scalar("url_encode_component", 1, note="A text with one of !*()~' stops the query, as in url_encode().")
def url_encode_component(call: Invocation) -> Sql:
    return _url_encoded(call, "%20")


template("url_decode", ["string"], "string", "url_decode({0})")


@scalar("tohex", 1, 2)
def tohex(call: Invocation) -> Sql:
    """Lower-case digits; of a negative number those of its 64 bits."""
    value = whole(call)
    digits = f"lower(to_hex({value.text}))"
    least = call.integer(1)
    if least > 1:
        digits = f"CASE WHEN length({digits}) < {least} THEN lpad({digits}, {least}, '0') ELSE {digits} END"
    return of_type(digits, "string", value)


refuse(
    "gzip_compress_to_base64_string gzip_decompress_from_base64_string zlib_compress_to_base64_string"
    " zlib_decompress_from_base64_string",
    "Decompress the values outside the query; base64_decode_tostring() reads what is not compressed.",
)
refuse("punycode_from_string punycode_to_string punycode_domain_from_string punycode_domain_to_string",
       "Convert the names outside the query.")  # fmt: skip
