create trigger a after insert on t begin select 1; /* end; */ -- end;
 select 2; end /* x */ ; select 1