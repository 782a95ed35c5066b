// Rows of a table that have changed; the others stay as they are. See set_rows in pages/tables.py.
window.wkRows = (id, version, order, changed) => {
  const table = mounted_app.elements[id];
  if (!table || (table.props["data-version"] ?? 0) !== version) return; // the whole list has come meanwhile
  const known = new Map([...table.props.rows, ...changed].map((row) => [row.id, row]));
  table.props.rows = order.map((key) => known.get(key));
  table.props["data-version"] = version + 1;
};
