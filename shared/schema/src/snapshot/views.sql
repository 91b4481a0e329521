SELECT JSON_OBJECT('kind', 'view', 'table', t.table_name,
  'definition', REPLACE(t.view_definition, CONCAT('`', t.table_schema, '`.'), ''),
  'check_option', t.check_option, 'valid', IF(v.table_comment = 'VIEW', 'YES', 'NO'))
FROM information_schema.views t
JOIN information_schema.tables v
  ON v.table_schema = t.table_schema AND v.table_name = t.table_name
WHERE t.table_schema = DATABASE()
