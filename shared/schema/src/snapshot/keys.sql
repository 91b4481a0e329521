SELECT JSON_OBJECT('table', t.table_name, 'position', t.seq_in_index, 'name', t.index_name,
  'unique', IF(t.non_unique, 'NO', 'YES'), 'kind', t.index_type, 'column', t.column_name,
  'length', t.sub_part, 'order', t.collation, 'comment', t.index_comment,
  'expression', t.expression, 'visible', t.is_visible)
FROM information_schema.statistics t WHERE t.table_schema = DATABASE()
