SELECT JSON_OBJECT('kind', 'CHECK', 'table', t.table_name, 'name', t.constraint_name,
  'clause', t.check_clause, 'enforced', 'YES')
FROM information_schema.check_constraints t WHERE t.constraint_schema = DATABASE()
