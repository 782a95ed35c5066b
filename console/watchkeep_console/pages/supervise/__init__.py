"""Pages of those who supervise: subdistrict, city office, authorities; and of companies about their own figures."""

from watchkeep_console.pages.supervise import agenda, indicators, ledger, overview, rankings

PAGES = (overview, indicators, rankings, ledger, agenda)
