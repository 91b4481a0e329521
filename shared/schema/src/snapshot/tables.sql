SELECT JSON_OBJECT('kind', 'table', 'table', t.table_name, 'type', t.table_type, 'engine', t.engine,
  'collation', t.table_collation,
  'options', TRIM(REPLACE(COALESCE(t.create_options, ''), 'partitioned', '')),
  'comment', t.table_comment)
FROM information_schema.tables t
WHERE t.table_schema = DATABASE() AND t.table_type <> 'VIEW'
