SELECT JSON_OBJECT('table', t.table_name, 'position', t.ordinal_position, 'name', t.column_name,
  'data_type', t.column_type, 'nullable', t.is_nullable, 'default', t.column_default,
  'extra', t.extra, 'charset', t.character_set_name, 'collation', t.collation_name,
  'comment', t.column_comment, 'expression', NULLIF(t.generation_expression, ''),
  'srs', t.srs_id)
FROM information_schema.columns t WHERE t.table_schema = DATABASE()
