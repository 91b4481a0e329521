SELECT JSON_OBJECT('table', t.table_name, 'kind', t.table_type,
  'engine', COALESCE(t.engine, ''), 'collation', COALESCE(t.table_collation, ''),
  'options', TRIM(REPLACE(COALESCE(t.create_options, ''), 'partitioned', '')),
  'comment', t.table_comment)
FROM information_schema.tables t WHERE t.table_schema = DATABASE()
