 -- nothing
 ;