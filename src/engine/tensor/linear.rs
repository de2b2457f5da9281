//! Matrix products that give a row the same bits whatever rows are computed beside it.

use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{DType, Device, Module as _, Result, Tensor};

use crate::engine::adapter::LoraWeights;
use crate::engine::decoder::MAX_EXACT_ROWS;
use crate::engine::files::RawTensor;

/// Rows per call of candle's quantised kernels within an exact pass. Some of its kernels begin at 32 rows.
const EXACT_ROWS_PER_CALL: usize = 16;

/// A matrix `[out, in]`, quantised or dense.
///
/// F16 and BF16 are widened to f32. So are Q4_1, Q5_0 and Q5_1 where rows are an odd number of blocks: candle's product
/// for these types takes two blocks at a time. Such a matrix takes more memory than its file, and its activations are
/// not rounded to 8 bits.
#[derive(Debug, Clone)]
pub(super) enum Matrix {
    Quantized(Arc<QTensor>),
    /// f32.
    Dense(Tensor),
}

impl Matrix {
    /// Copies a matrix out of a file.
    pub(super) fn load(raw: RawTensor, device: &Device) -> Result<Self> {
        let dense = matches!(raw.dtype, GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16);
        if dense {
            return dense_tensor(&raw, device).map(Self::Dense);
        }
        let (dtype, shape) = (raw.dtype, raw.shape);
        let matrix = QTensor::new(QStorage::from_data(raw.data, device, dtype)?, shape)?;
        // candle would panic at the block that is left over.
        let takes_pairs = matches!(dtype, GgmlDType::Q4_1 | GgmlDType::Q5_0 | GgmlDType::Q5_1);
        if takes_pairs && !matrix.shape().dims2()?.1.is_multiple_of(2 * dtype.block_size()) {
            return matrix.dequantize(device).map(Self::Dense);
        }
        Ok(Self::Quantized(Arc::new(matrix)))
    }

    /// Rows of the matrix by index. ids: `[T]`, u32 -> `[T, in]`, f32; the graph is not kept.
    pub(super) fn rows(&self, ids: &Tensor) -> Result<Tensor> {
        match self {
            Self::Quantized(matrix) => matrix.embedding(ids),
            Self::Dense(matrix) => matrix.index_select(ids, 0),
        }
    }

    /// x: `[T, in]`, f32, contiguous -> `[T, out]`, f32; the graph is not kept. For T up to [`MAX_EXACT_ROWS`] each row has
    /// the bits that it has alone.
    fn product(&self, x: &Tensor) -> Result<Tensor> {
        let num_rows = x.dim(0)?;
        let exact = num_rows <= MAX_EXACT_ROWS;
        match self {
            Self::Quantized(matrix) if exact => {
                chunked_rows(x, EXACT_ROWS_PER_CALL, |rows| exact_quantized_product(matrix, rows))
            }
            Self::Quantized(matrix) => x.apply_op1_no_bwd(matrix.as_ref()),
            // The dense kernels sum in another order for another number of rows.
            Self::Dense(matrix) if exact => chunked_rows(x, 1, |row| row.matmul(&matrix.t()?)),
            Self::Dense(matrix) => x.matmul(&matrix.t()?),
        }
    }
}

/// Applies `f` to `rows_per_call` rows at a time. x: `[T, in]` -> `[T, out]`.
fn chunked_rows(x: &Tensor, rows_per_call: usize, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let num_rows = x.dim(0)?;
    if num_rows <= rows_per_call {
        return f(x);
    }
    let parts = (0..num_rows).step_by(rows_per_call).map(|start| {
        let len = rows_per_call.min(num_rows - start);
        f(&x.narrow(0, start, len)?.contiguous()?)
    });
    Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 0)
}

/// One call of candle's kernel, with rows added where a lone row, or an odd number of them, would take another kernel
/// that rounds differently: on x86 a single row of Q6_K, on ARM anything but a multiple of four.
fn exact_quantized_product(matrix: &Arc<QTensor>, x: &Tensor) -> Result<Tensor> {
    let (num_rows, width) = x.dims2()?;
    let wanted = if cfg!(target_arch = "aarch64") {
        num_rows.next_multiple_of(4)
    } else if matrix.dtype() == GgmlDType::Q6K {
        num_rows.max(2)
    } else {
        num_rows
    };
    if wanted == num_rows {
        return x.apply_op1_no_bwd(matrix.as_ref());
    }
    let padding = Tensor::zeros((wanted - num_rows, width), x.dtype(), x.device())?;
    Tensor::cat(&[x, &padding], 0)?.apply_op1_no_bwd(matrix.as_ref())?.narrow(0, 0, num_rows)?.contiguous()
}

/// A tensor of F32, F16 or BF16, copied as f32.
pub(super) fn dense_tensor(raw: &RawTensor, device: &Device) -> Result<Tensor> {
    let dtype = match raw.dtype {
        GgmlDType::F16 => DType::F16,
        GgmlDType::BF16 => DType::BF16,
        _ => DType::F32,
    };
    Tensor::from_raw_buffer(&raw.data, dtype, &raw.shape, device)?.to_dtype(DType::F32)
}

/// A linear layer: y = W·x + b.
#[derive(Debug, Clone)]
pub(super) struct Linear {
    weight: Matrix,
    bias: Option<Tensor>,
}

impl Linear {
    pub(super) fn new(weight: Matrix, bias: Option<Tensor>) -> Self {
        Self { weight, bias }
    }

    /// x: `[T, in]`, f32 -> `[T, out]`, f32; the graph is not kept.
    pub(super) fn forward(&self, x: &Tensor, lora: Option<&Lora>) -> Result<Tensor> {
        let mut y = self.weight.product(x)?;
        if let Some(bias) = &self.bias {
            y = y.broadcast_add(bias)?;
        }
        match lora {
            Some(lora) => y + lora.forward(x)?,
            None => Ok(y),
        }
    }
}

/// A low-rank update beside a linear layer: s·B·(A·x).
#[derive(Debug, Clone)]
pub(super) struct Lora {
    /// Aᵀ: `[in, r]`.
    down: Tensor,
    /// s·Bᵀ: `[r, out]`.
    up: Tensor,
}

impl Lora {
    /// From A: `[r, in]` and B: `[out, r]`.
    pub(super) fn new(weights: &LoraWeights, device: &Device) -> Result<Self> {
        let rank = weights.rank;
        let a = Tensor::from_slice(&weights.a, (rank, weights.a.len() / rank), device)?;
        let b = Tensor::from_slice(&weights.b, (weights.b.len() / rank, rank), device)?;
        Ok(Self { down: a.t()?.contiguous()?, up: (b.t()? * f64::from(weights.scale))?.contiguous()? })
    }

    /// x: `[T, in]`, f32 -> `[T, out]`, f32; differentiable.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.down)?.matmul(&self.up)
    }
}

/// RMS norm: x / √(mean(x²) + ε) · w, over the last dimension.
#[derive(Debug, Clone)]
pub(super) struct RmsNorm {
    norm: candle_nn::RmsNorm,
}

impl RmsNorm {
    pub(super) fn new(weight: Tensor, eps: f64) -> Self {
        Self { norm: candle_nn::RmsNorm::new(weight, eps) }
    }

    /// x: `[.., width]`, f32, contiguous -> the same; the graph is not kept.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.norm.forward(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every quantised type, for widths that candle's wide kernels take and ones that they leave.
    #[test]
    fn a_row_has_the_same_bits_alone_and_in_company() {
        let device = Device::Cpu;
        let types = [
            GgmlDType::F32,
            GgmlDType::Q4_0,
            GgmlDType::Q4_1,
            GgmlDType::Q5_0,
            GgmlDType::Q5_1,
            GgmlDType::Q8_0,
            GgmlDType::Q4K,
            GgmlDType::Q5K,
            GgmlDType::Q6K,
        ];
        for dtype in types {
            for (num_out, width) in [(64, 512), (40, 256)] {
                let weight = Tensor::randn(0f32, 1., (num_out, width), &device).unwrap();
                let matrix = match dtype {
                    GgmlDType::F32 => Matrix::Dense(weight),
                    _ => Matrix::Quantized(Arc::new(QTensor::quantize(&weight, dtype).unwrap())),
                };
                let x = Tensor::randn(0f32, 1., (MAX_EXACT_ROWS, width), &device).unwrap();
                let alone = chunked_rows(&x, 1, |row| matrix.product(row)).unwrap();
                for num_rows in [2, 3, 4, 5, 8, 16, 17, MAX_EXACT_ROWS] {
                    let together = matrix.product(&x.narrow(0, 0, num_rows).unwrap()).unwrap();
                    let expected = alone.narrow(0, 0, num_rows).unwrap();
                    let bits = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                    assert_eq!(bits(&together), bits(&expected), "{dtype:?}, {num_rows} rows of {width}");
                }
            }
        }
    }
}
