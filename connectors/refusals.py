"""Why an edge turned a line away: a public code, the field, and what to do about it in Chinese and English.

Codes are public: never renamed, never reused. A text never repeats the content of a line: it may hold a name.
"""

from re import compile as pattern
from typing import Literal

Result = Literal["accepted", "refused", "forbidden", "ignored"]

_TEXTS: dict[str, tuple[str, str]] = {
    "TOO_LARGE": (
        "一行超过{limit}字节，请拆分后重发",
        "the line is longer than {limit} bytes; split it and send it again",
    ),
    "NOT_JSON": (
        "不是一个JSON对象（UTF-8），请检查编码与引号，一行一个对象",
        "not one JSON object in UTF-8; check encoding and quotes, one object per line",
    ),
    "UNKNOWN_EVENT_TYPE": (
        "事件类型{field}未知，请对照接口文档（config/schemas）",
        "this {field} is not known here; compare it with config/schemas",
    ),
    "EVENT_TYPE_FORBIDDEN": (
        "当前访问凭证（令牌）无权报送此类业务，请由主管该业务的单位报送",
        "this token may not post this event type; the body in charge of it must send it",
    ),
    "ENGINE_ONLY": (
        "此类记录由平台自动生成，不能直接报送；请调用产生它的业务接口",
        "only the engine appends this event type; use the call that causes it",
    ),
    "INSTITUTION_FORBIDDEN": (
        "{field}不是当前访问凭证（令牌）所属的机构，请用该机构自己的凭证报送",
        "{field} is not the institution of this token; send it with that institution's own token",
    ),
    "BANK_FORBIDDEN": (
        "{field}不是当前访问凭证（令牌）所属的银行，请用该银行自己的凭证报送",
        "{field} is not the bank of this token; send it with that bank's own token",
    ),
    "UNKNOWN_FIELD": (
        "存在未知字段{field}：可能拼写有误；自用字段请以x_开头",
        "{field} is not a field of this event: check its spelling, or begin private fields with x_",
    ),
    "MISSING_FIELD": ("缺少必填字段{field}，请补齐后重发", "{field} is required; add it and send the line again"),
    "PSN_NO_MISSING": (
        "报文入参与出参均无人员编号psn_no，无法归属到人，请补齐",
        "neither input nor output carries psn_no, so the fact belongs to nobody; add it",
    ),
    "WRONG_TYPE": (
        "字段{field}类型不对，应为{limit}",
        "{field} has the wrong type; it must be {limit}",
    ),
    "BAD_VALUE": ("字段{field}取值不在允许范围：{limit}", "{field} must be one of: {limit}"),
    "CODE_MALFORMED": (
        "{field}应为{limit}，收到的形式为{shape}（9：数字，A：字母，?：其他）；请按国家医保编码核对后重发",
        "{field} must be {limit}; what came looks like {shape} (9 a digit, A a letter, ? anything else): "
        "correct it by the national code list and send the line again",
    ),
    "NUMBER_UNREADABLE": (
        "{field}不是有限的数字，请发送普通十进制数",
        "{field} is not a finite number; send a plain decimal",
    ),
    "NUMBER_NOT_WHOLE": (
        "{field}必须是整数（金额单位为分，12.34元应写1234）",
        "{field} must be a whole number (amounts are in fen: 12.34 yuan is 1234)",
    ),
    "NUMBER_TOO_PRECISE": (
        "{field}小数位超过{limit}位，无法精确换算，请按规定位数发送",
        "{field} has more than {limit} decimals and cannot be converted exactly; send no more",
    ),
    "NUMBER_NEGATIVE": (
        "{field}不允许为负数；退费、退货请用相应的撤销或退货交易",
        "{field} may not be negative here; send the transaction that reverses or returns instead",
    ),
    "NUMBER_OUT_OF_RANGE": ("{field}超出允许的范围（最大{limit}）", "{field} is out of range (at most {limit})"),
    "TIME_UNREADABLE": (
        "{field}不是有效时间，应如2026-03-10T08:00:00+08:00",
        "{field} is not a time; write it as 2026-03-10T08:00:00+08:00",
    ),
    "TIME_WITHOUT_ZONE": ("{field}缺少时区，请加上如+08:00", "{field} has no offset; add one, such as +08:00"),
    "TIME_OUT_OF_RANGE": (
        "{field}不在{limit}之间，请检查机器时钟与格式",
        "{field} is outside {limit}; check the clock and the format",
    ),
    "TIME_IN_FUTURE": (
        "{field}比本机时间晚5分钟以上，请校时后重发",
        "{field} is more than 5 minutes ahead of our clock; set yours and send the line again",
    ),
    "EMPTY": ("{field}不能为空", "{field} may not be empty"),
    "TOO_LONG": ("{field}超过{limit}个字符", "{field} is longer than {limit} characters"),
    "CONTROL_CHARACTER": ("{field}含有看不见的控制字符，请清除后重发", "{field} has a control character; remove it"),
    "NOT_TRIMMED": ("{field}首尾有空格，请去除后重发", "{field} begins or ends with a blank; remove it"),
    "RESERVED_EVENT_ID": (
        "event_id不能以{limit}开头（平台自用），请换用其他编号",
        "an event_id may not begin with {limit}: the engine's own; choose another",
    ),
    "EXACTLY_ONE_OF": ("{limit}之中必须且只能填一个", "give exactly one of {limit}"),
    "CONTRADICTION": ("{field}与其他字段矛盾：{limit}", "{field} contradicts another field: {limit}"),
    "UNKNOWN_INFNO": (
        "国家医保接口没有这一交易编号（{field}），可能写错；请核对后重发",
        "this {field} is no transaction of the national interface: check it for a slip and send the line again",
    ),
    "FAILED_TRANSACTION": (
        "该笔交易失败或没有应答（infcode不为0），没有发生资金往来，不予登记",
        "the transaction failed or got no answer (infcode is not 0): no event",
    ),
    "NOTHING_TO_RECORD": ("该类交易无需登记", "this transaction makes no event"),
}
_LIMITS_ZH = {
    "string": "文字",
    "string (RFC 3339)": "时间文字，如2026-03-10T08:00:00+08:00",
    "whole number": "整数",
    "true/false": "true 或 false（是或否）",
    "list": "列表",
    "2-6 digits": "2至6位数字",
    "3 digits": "3位数字",
    "6 digits": "6位数字",
}
_FORBIDDEN = frozenset({"EVENT_TYPE_FORBIDDEN", "ENGINE_ONLY", "INSTITUTION_FORBIDDEN", "BANK_FORBIDDEN"})
_PLAIN_NAME = pattern(r"[a-z][a-z0-9_]{0,40}")

REASONS = frozenset(_TEXTS)


class Refused(Exception):
    """A line that did not pass the edge. `limit` is what would have been allowed; never what was sent, of which
    `shape` tells at most the kinds of its characters.
    """

    def __init__(self, reason: str, field: str | None = None, limit: object = "", shape: str = "") -> None:
        self.reason = reason
        # A name that is not one of ours may itself hold personal data.
        self.field = field if field is None or _PLAIN_NAME.fullmatch(field) else "?"
        zh, en = _TEXTS[reason]
        self.detail_zh = zh.format(field=self.field, limit=_LIMITS_ZH.get(str(limit), limit), shape=shape)
        self.detail_en = en.format(field=self.field, limit=limit, shape=shape)
        super().__init__(f"{reason}: {self.detail_en}")

    @property
    def result(self) -> Result:
        """How the sender is told: `forbidden` is about who sends, `refused` about what was sent."""
        return "forbidden" if self.reason in _FORBIDDEN else "refused"
