"""Pages of operations and of the property company."""

from watchkeep_console.pages.manage import (
    calendar_month,
    complaint_desk,
    duty_log,
    equipment_import,
    equipment_list,
    health,
    notice_editor,
    order_list,
    plan_form,
    plan_list,
    report_list,
    rota_week,
)

PAGES = (
    equipment_list,
    equipment_import,
    health,
    order_list,
    calendar_month,
    plan_form,
    plan_list,
    rota_week,
    complaint_desk,
    duty_log,
    notice_editor,
    report_list,
)
