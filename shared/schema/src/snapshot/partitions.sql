SELECT JSON_OBJECT('kind', 'partitioning', 'table', t.table_name,
  'position', t.partition_ordinal_position * 10000 + COALESCE(t.subpartition_ordinal_position, 0),
  'partition', CONCAT_WS(' ', t.partition_name, t.subpartition_name),
  'method', t.partition_method, 'sub_method', t.subpartition_method,
  'expression', t.partition_expression, 'sub_expression', t.subpartition_expression,
  'limit', t.partition_description)
FROM information_schema.partitions t
WHERE t.table_schema = DATABASE() AND t.partition_name IS NOT NULL
