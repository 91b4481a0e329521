SELECT JSON_OBJECT('kind', 'foreign key', 'table', t.table_name, 'name', t.constraint_name,
  'position', t.ordinal_position, 'column', t.column_name, 'other_schema',
  IF(t.referenced_table_schema = t.table_schema, NULL, t.referenced_table_schema),
  'parent', t.referenced_table_name, 'parent_column', t.referenced_column_name,
  'on_update', r.update_rule, 'on_delete', r.delete_rule)
FROM information_schema.key_column_usage t
JOIN information_schema.referential_constraints r
  ON r.constraint_schema = t.constraint_schema AND r.constraint_name = t.constraint_name
    AND r.table_name = t.table_name
WHERE t.table_schema = DATABASE() AND t.referenced_table_name IS NOT NULL
