"""Kusto's scalar functions whose answer depends on nothing but the row (and constants) they are given.

What is not named here is not proved: functions that see other rows, chance, or a workspace's own saved functions.
https://learn.microsoft.com/kusto/query/scalar-functions
"""

from typing import Final

_NAMES: Final = """
    abs acos array_concat array_iff array_index_of array_length array_reverse array_rotate_left
    array_rotate_right array_shift_left array_shift_right array_slice array_sort_asc array_sort_desc array_split
    array_sum asin assert atan atan2 bag_has_key bag_keys bag_merge bag_pack bag_pack_columns bag_remove_keys
    bag_set_key bag_zip base64_decode_toarray base64_decode_toguid base64_decode_tostring base64_decodestring
    base64_encode_fromarray base64_encode_fromguid base64_encode_tostring base64_encodestring bin bin_at
    binary_and binary_not binary_or binary_shift_left binary_shift_right binary_xor bitset_count_ones case
    ceiling coalesce column_ifexists columnifexists convert_angle convert_energy convert_force convert_length
    convert_mass convert_speed convert_temperature convert_volume cos cot countof datetime_add datetime_diff
    datetime_local_to_utc datetime_part datetime_utc_to_local dayofmonth dayofweek dayofyear degrees
    dynamic_to_json endofday endofmonth endofweek endofyear erf erfc exp exp10 exp2 extract extract_all
    extract_json extractjson floor format_bytes format_datetime format_ipv4 format_ipv4_mask format_ipv6
    format_ipv6_mask format_timespan gamma geo_distance_2points geo_info_from_ip_address geo_point_in_circle
    geo_point_in_polygon geo_point_to_geohash getmonth gettype getyear gzip_compress_to_base64_string
    gzip_decompress_from_base64_string has_any_index has_any_ipv4 has_any_ipv4_prefix has_ipv4 has_ipv4_prefix
    hash hash_combine hash_many hash_md5 hash_sha1 hash_sha256 hash_xxhash64 hourofday iff iif indexof
    indexof_regex ingestion_time ipv4_compare ipv4_is_in_any_range ipv4_is_in_range ipv4_is_match
    ipv4_is_private ipv4_netmask_suffix ipv4_range_to_cidr_list ipv6_compare ipv6_is_in_any_range
    ipv6_is_in_range ipv6_is_match isascii isempty isfinite isinf isnan isnotempty isnotnull isnull isutf8
    jaccard_index log log10 log2 loggamma make_datetime make_string make_timespan max_of min_of monthofyear not
    pack pack_all pack_array pack_dictionary parse_command_line parse_csv parse_ipv4 parse_ipv4_mask parse_ipv6
    parse_ipv6_mask parse_json parse_path parse_url parse_urlquery parse_user_agent parse_version parse_xml
    parsejson pi pow punycode_domain_from_string punycode_domain_to_string punycode_from_string
    punycode_to_string radians regex_quote repeat replace replace_regex replace_string replace_strings reverse
    round secondofminute set_difference set_has_element set_intersect set_union sign sin split sqrt startofday
    startofmonth startofweek startofyear strcat strcat_array strcat_delim strcmp string_size strlen strrep
    substring tan to_utf8 tobool toboolean todatetime todecimal todouble todynamic toguid tohex toint tolong
    tolower toobject toreal tostring totimespan toupper translate treepath trim trim_end trim_start
    unicode_codepoints_from_string unicode_codepoints_to_string unixtime_microseconds_todatetime
    unixtime_milliseconds_todatetime unixtime_nanoseconds_todatetime unixtime_seconds_todatetime url_decode
    url_encode url_encode_component week_of_year weekofyear welch_test zip zlib_compress_to_base64_string
    zlib_decompress_from_base64_string
"""
ROW_FUNCTIONS: Final = frozenset(_NAMES.split())
