"""What the API refuses, as RFC 9457 problem documents in Chinese and English. A business refusal is a 200 `deny`."""

from collections.abc import Iterable
from typing import Any

import orjson

PROBLEM_JSON = (b"content-type", b"application/problem+json")

TEXTS: dict[str, tuple[int, str, str]] = {
    "MALFORMED": (400, "请求体不是有效的 JSON：{why}", "The body is not valid JSON: {why}."),
    "FIELD_MISSING": (400, "缺少字段 {field}", "The field {field} is missing."),
    "FIELD_UNKNOWN": (
        400,
        "未知字段 {field}；自定义字段请以 x_ 开头",
        "The field {field} is not known here; a field of your own starts with x_.",
    ),
    "FIELD_INVALID": (400, "字段 {field} 不合要求：{why}", "The field {field} is not as it must be: {why}."),
    "UNAUTHENTICATED": (
        401,
        "缺少访问令牌或令牌无效，请在 Authorization 头中使用 Bearer 令牌",
        "No token, or not one we know. Send it as 'Authorization: Bearer <token>'.",
    ),
    "UNSIGNED": (
        401,
        "银行签名无效：{why}",
        "Not signed as the bank it names: {why}. See connectors/bank_signature.py for what is signed.",
    ),
    "FORBIDDEN_ROLE": (403, "此令牌的角色不能使用本接口", "The role of this token may not make this call."),
    "FORBIDDEN_INSTITUTION": (
        403,
        "此令牌不属于机构 {field}",
        "This token does not act for the institution given in {field}.",
    ),
    "FORBIDDEN_PURPOSE": (403, "此令牌不能以该目的查询", "This token may not ask for that purpose."),
    "NOT_FOUND": (404, "没有找到", "Nothing is here under this name."),
    "METHOD_NOT_ALLOWED": (405, "此地址不支持该方法", "This address does not answer that method."),
    "BODY_LATE": (408, "请求体未在 {why} 秒内发完，请重发", "The body did not come within {why} s; send it again."),
    "CONFLICT": (409, "与已有记录不一致", "This contradicts what is recorded."),
    "TOO_LARGE": (413, "请求体超过 {why} 字节", "The body is larger than {why} bytes."),
    "RATE_LIMITED": (429, "请求过于频繁，请稍后再试", "Too many calls with this token; try again after Retry-After."),
    "INTERNAL": (500, "内部错误，已记录", "Something broke here and was recorded."),
    "OVERLOADED": (503, "系统繁忙，请稍后再试；可先用其他方式付费", "Busy; try again later, or pay another way."),
    "LATE": (
        503,
        "未能按时得到结果；请求仍然有效，请用同一 request_id 再次发送",
        "No answer in time. The request stands: repeat it with the same request_id.",
    ),
    "LOG_AWAY": (503, "暂时无法记录，请稍后再试", "The log cannot be reached, so nothing was recorded; try again."),
    "STATE_AWAY": (503, "暂时无法查询，请稍后再试", "The state cannot be read at the moment; try again."),
}


class Problem(Exception):
    """A call that is answered with a problem document."""

    def __init__(
        self,
        code: str,
        field: str | None = None,
        *,
        why: str = "",
        retry_after_s: int | None = None,
        allow: Iterable[str] = (),
    ) -> None:
        super().__init__(code)
        self.status, zh, en = TEXTS[code]
        self.code = code
        self.field = field
        self.retry_after_s = retry_after_s
        self.allow = ", ".join(sorted(allow))
        self.detail_zh = zh.format(field=field, why=why)
        self.detail_en = en.format(field=field, why=why)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Content type, and what a caller must know to try again."""
        headers = [PROBLEM_JSON]
        if self.retry_after_s is not None:
            headers.append((b"retry-after", str(self.retry_after_s).encode()))
        if self.allow:
            headers.append((b"allow", self.allow.encode()))
        if self.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        return headers

    def body(self) -> bytes:
        """The document."""
        return problem_body(
            self.status,
            {"code": self.code, "field": self.field, "detail_zh": self.detail_zh, "detail_en": self.detail_en},
        )


def problem_body(status: int, facts: dict[str, Any]) -> bytes:
    """A problem document of `facts` (the lane's own conflicts come this way too)."""
    document = {"type": "about:blank", "title": facts.get("code", "PROBLEM"), "status": status}
    return orjson.dumps(document | {name: value for name, value in facts.items() if value is not None})
