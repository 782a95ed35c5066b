"""Columns of a responsibility list as a workbook: how they are called, what they hold."""

from collections.abc import Mapping
from dataclasses import dataclass

from watchkeep_core.vocabulary import Vocabulary
from watchkeep_dispatch.duty_file import EVIDENCE


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `field` of Duty, `kind` of its values: text, choice, yes_no, many, deadline, span."""

    field: str
    zh: str
    kind: str
    note: str
    required: bool = False


_DEADLINE = "30 min, 24 h = 紧急工作时（昼夜计时）; 4 wh = 工作时; 3 wd = 工作日; 15 nd = 自然日. 空 = 无此时限 (none)"
_MATCH = "空 = 不限 (empty matches anything); 越具体越优先 (the most specific row wins)"
COLUMNS = (
    Column("title", "小类名称", "text", "事项名称 what it is about", required=True),
    Column("title_en", "英文名称", "text", "name in English", required=True),
    Column("domain", "大类", "choice", _MATCH),
    Column("kind", "设备种类", "choice", _MATCH),
    Column("condition", "事件", "choice", _MATCH),
    Column("ownership", "权属", "choice", _MATCH),
    Column("handed_over", "已移交", "yes_no", _MATCH),
    Column("in_warranty", "质保期内", "yes_no", _MATCH),
    Column("area_id", "区域编号", "text", f"区域编号 id of an area of the register. {_MATCH}"),
    Column("urban", "城区", "yes_no", _MATCH),
    Column("case_class", "等级", "choice", "A 紧急 B 重大 C 一般", required=True),
    Column("first_responder", "首接单位", "choice", "先行处置单位 acts when the owner is unknown", required=True),
    Column("responsible", "责任主体", "choice", "gets the order", required=True),
    Column("supervising", "监管主体", "choice", "supervises", required=True),
    Column("copied", "抄告", "many", "多个以逗号分隔 several, separated by commas"),
    Column("respond", "响应时限", "deadline", _DEADLINE),
    Column("arrive", "到场时限", "deadline", _DEADLINE),
    Column("finish", "完成时限", "deadline", _DEADLINE),
    Column("filing_condition", "立案条件", "text", "when a case is filed"),
    Column("closing_condition", "结案条件", "text", "when it may be closed"),
    Column(
        "clear_for",
        "恢复正常须持续",
        "span",
        "2 h, 3 d: 传感器恢复正常须持续多久方可结案 how long readings must be normal",
    ),
    Column("evidence", "处置证据", "many", f"多个以逗号分隔 of: {', '.join(EVIDENCE)}"),
    Column("basis", "依据", "text", "法律法规及条款 law and clause", required=True),
    Column("mark", "可信标记", "text", "S<n> sourced, R recalled, CP common practice (verify locally)", required=True),
    Column("contracted", "有维保合同", "yes_no", f"该类设备有维保合同 a maintainer is under contract for it. {_MATCH}"),
    Column("working_time", "工作时间", "yes_no", f"事发在工作时间 it happened in working hours. {_MATCH}"),
)


def names_of(field: str, words: Vocabulary) -> Mapping[str, str]:
    """Id → Chinese name of what a column may hold."""
    match field:
        case "domain":
            return {row.id: row.zh for row in words.domains.values()}
        case "kind":
            return {row.id: row.zh for row in words.kinds.values()}
        case "condition":
            return {row.id: row.zh for row in words.conditions.values()}
        case "ownership":
            return {row.id: row.zh for row in words.ownerships.values()}
        case "case_class":
            return {row.id: row.zh for row in words.classes.values()}
        case "evidence":
            return dict.fromkeys(EVIDENCE, "")
    return {row.id: row.zh for row in words.parties.values()}
