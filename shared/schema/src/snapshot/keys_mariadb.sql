SELECT JSON_OBJECT('kind', 'index', 'table', t.table_name, 'name', t.index_name,
  'position', t.seq_in_index, 'unique', IF(t.non_unique, 'NO', 'YES'), 'type', t.index_type,
  'column', t.column_name, 'length', t.sub_part, 'order', t.collation,
  'comment', t.index_comment, 'visible', IF(t.ignored = 'YES', 'NO', 'YES'))
FROM information_schema.statistics t WHERE t.table_schema = DATABASE()
