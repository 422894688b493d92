/** Of the DIS sink: what may come twice after a kill is at most so many records for each of so many partitions under way. */
export const DIS_BATCH = 20;
export const DIS_PARALLEL = 2;
