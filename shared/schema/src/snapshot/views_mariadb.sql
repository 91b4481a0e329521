SELECT JSON_OBJECT('kind', 'view', 'table', t.table_name,
  'definition', REPLACE(t.view_definition, CONCAT('`', t.table_schema, '`.'), ''),
  'check_option', t.check_option, 'valid', 'YES')
FROM information_schema.views t WHERE t.table_schema = DATABASE()
