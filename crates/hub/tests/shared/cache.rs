//! Cache channels of a cluster, one case each; all interleavings are tried in the crate itself (CL-040 … CL-043).
