SELECT JSON_OBJECT('kind', 'column', 'table', t.table_name, 'name', t.column_name,
  'position', t.ordinal_position, 'type', t.data_type, 'data_type', t.column_type,
  'size', COALESCE(t.character_maximum_length, t.datetime_precision, t.numeric_precision),
  'scale', t.numeric_scale, 'nullable', t.is_nullable,
  'default', IF(t.is_nullable = 'YES', NULLIF(t.column_default, 'NULL'), t.column_default),
  'extra', t.extra, 'charset', t.character_set_name, 'collation', t.collation_name,
  'comment', t.column_comment, 'expression', NULLIF(t.generation_expression, ''))
FROM information_schema.columns t WHERE t.table_schema = DATABASE()
