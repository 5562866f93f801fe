select 1;
-- two
select 2;
