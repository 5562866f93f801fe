/* calendar.c: days of the proleptic Gregorian calendar, as the server counts them.
 * After Howard Hinnant's civil_from_days and days_from_civil. */
#include "postgres/database.h"

enum {
  ERA_YEARS = 400,
  ERA_DAYS = 146097,
  BEFORE_2000 = 730425 /* days from 0000-03-01, where an era begins */
};

void tuff_postgres_date_of(int64_t day, int64_t *year, int *month, int *date) {
  int64_t shifted = day + BEFORE_2000;
  int64_t era = (shifted >= 0 ? shifted : shifted - (ERA_DAYS - 1)) / ERA_DAYS;
  int64_t of_era = shifted - era * ERA_DAYS;
  int64_t year_of_era =
      (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t shifted_month = (5 * of_year + 2) / 153;
  *date = (int)(of_year - (153 * shifted_month + 2) / 5 + 1);
  *month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  *year = year_of_era + era * ERA_YEARS + (*month <= 2);
}

int64_t tuff_postgres_day_of(int64_t year, int month, int date) {
  year -= month <= 2;
  int64_t era = (year >= 0 ? year : year - (ERA_YEARS - 1)) / ERA_YEARS;
  int64_t year_of_era = year - era * ERA_YEARS;
  int64_t of_year = (153 * ((month + 9) % 12) + 2) / 5 + date - 1;
  int64_t of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
  return era * ERA_DAYS + of_era - BEFORE_2000;
}

int tuff_postgres_days_of(int64_t year, int month) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return days[month - 1] + (month == 2 && leap);
}
