"""People of the demo: one for each way of looking at the system, all with the demo's one generated password."""

from typing import NamedTuple

from psycopg import Connection

from watchkeep_console.people import NewMembership, create_person


class DemoPerson(NamedTuple):
    """`shows` tells a newcomer what this login is good for."""

    login: str
    name: str
    org_id: str
    membership: str
    shows: str


PEOPLE = (
    DemoPerson("officer", "值班员 王敏", "lanhai", "duty_officer@organisation:lanhai", "duty board of Harbour Gardens"),
    DemoPerson("manager", "项目经理 刘强", "lanhai", "property_manager@organisation:lanhai", "the property manager"),
    DemoPerson("technician", "维保工 张伟", "anda", "technician@organisation:anda", "the lift technician (phone: /m)"),
    DemoPerson("orchard", "项目经理 孙丽", "hongshan", "property_manager@organisation:hongshan", "the other company"),
    DemoPerson("supervisor", "街道督办 李娜", "yatou-office", "supervisor@area:yatou", "the subdistrict"),
    DemoPerson("street", "街道物业办 周涛", "yatou-office", "subdistrict_office@area:yatou", "subdistrict escalations"),
    DemoPerson("office", "领导小组办公室 郑凯", "zhujian", "city_office@area:rongcheng", "escalations to the city"),
    DemoPerson("city", "市住建局 赵磊", "zhujian", "supervisor@area:rongcheng", "the whole city, recorded data too"),
    DemoPerson("admin", "系统管理员", "zhujian", "sys_admin@area:rongcheng", "connects gateways"),
)


def enter_people(conn: Connection, password: str) -> dict[str, str]:
    """Create the people of the demo (owner's connection, the caller commits); login → person id."""
    return {
        person.login: create_person(
            conn,
            person.login,
            person.name,
            password,
            person.org_id,
            [NewMembership.parse(person.membership)],
            phone=f"1380631{1000 + number}",
        )
        for number, person in enumerate(PEOPLE)
    }
