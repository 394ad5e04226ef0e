CREATE TABLE "conflicting_values" (
	"gpu_key" bigint NOT NULL,
	"time" timestamp with time zone NOT NULL,
	"series" text NOT NULL,
	"value" double precision NOT NULL,
	CONSTRAINT "conflicting_values_pkey" PRIMARY KEY("gpu_key","time","series","value")
);
