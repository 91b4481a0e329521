SELECT JSON_OBJECT('kind', 'CHECK', 'table', t.table_name, 'name', c.constraint_name,
  'clause', c.check_clause, 'enforced', t.enforced)
FROM information_schema.table_constraints t
JOIN information_schema.check_constraints c
  ON c.constraint_schema = t.constraint_schema AND c.constraint_name = t.constraint_name
WHERE t.table_schema = DATABASE() AND t.constraint_type = 'CHECK'
