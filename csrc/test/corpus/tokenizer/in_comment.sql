select 1 where 1 not /* a */ in -- b
 ?