CREATE TABLE "series_ends" (
	"gpu_key" bigint NOT NULL,
	"time" timestamp with time zone NOT NULL,
	"series" text[] NOT NULL,
	CONSTRAINT "series_ends_pkey" PRIMARY KEY("gpu_key","time")
);
--> statement-breakpoint
CREATE INDEX "series_ends_time" ON "series_ends" USING btree ("time");
--> statement-breakpoint
DO $$
DECLARE
  described record;
BEGIN
  FOR described IN SELECT * FROM (VALUES
    ('series_ends', '', 'When series of a device ended, as senders told: what they measure has no value from then until the next record that has it'),
    ('series_ends', 'gpu_key', 'The GPU or MIG instance: gpus.gpu_key'),
    ('series_ends', 'time', 'When they ended: only values before it are concerned'),
    ('series_ends', 'series', 'Metrics, and names of labelled series')
  ) AS texts(of_table, of_column, about) LOOP
    IF described.of_column = '' THEN
      EXECUTE format('COMMENT ON TABLE %I IS %L', described.of_table, described.about);
    ELSE
      EXECUTE format('COMMENT ON COLUMN %I.%I IS %L', described.of_table, described.of_column, described.about);
    END IF;
  END LOOP;
END
$$;
