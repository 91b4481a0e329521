SELECT JSON_OBJECT('table', t.table_name, 'definition', t.view_definition,
  'schema', t.table_schema, 'check_option', t.check_option)
FROM information_schema.views t WHERE t.table_schema = DATABASE()
