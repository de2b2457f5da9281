//! The header of a GGUF file: metadata, and where the tensors lie.
//!
//! Read here rather than by candle, whose reader panics on an alignment of 0 and does not look at sizes and offsets.
//! What [`Header::parse`] returns can be used without further checks: every tensor has one or two dimensions, rows of
//! whole blocks, and bytes that lie in the file, aligned.

use std::collections::HashMap;
use std::ops::Range;

use candle_core::quantized::GgmlDType;

use super::super::dtype_name;

/// Types of weights that this engine reads, by their number in the file.
const SUPPORTED_DTYPES: [(u32, GgmlDType); 11] = [
    (0, GgmlDType::F32),
    (1, GgmlDType::F16),
    (30, GgmlDType::BF16),
    (2, GgmlDType::Q4_0),
    (3, GgmlDType::Q4_1),
    (6, GgmlDType::Q5_0),
    (7, GgmlDType::Q5_1),
    (8, GgmlDType::Q8_0),
    (12, GgmlDType::Q4K),
    (13, GgmlDType::Q5K),
    (14, GgmlDType::Q6K),
];

/// Types that are met in files but not read here, for an error to name.
const OTHER_DTYPES: [(u32, &str); 15] = [
    (10, "Q2_K"),
    (11, "Q3_K"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
];

const ALIGNMENT: &str = "general.alignment";
const DEFAULT_ALIGNMENT: u64 = 32;
/// Lists within lists; none of the known keys has any.
const MAX_DEPTH: usize = 4;
/// The most that GGML allows.
const MAX_DIMENSIONS: u32 = 4;

/// A metadata value; integers and floats of all widths are one kind each.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Integer(i128),
    Float(f64),
    Bool(bool),
    Text(String),
    List(Vec<Value>),
}

/// Where a tensor lies in the file.
#[derive(Debug)]
pub(super) struct TensorPlace {
    pub(super) dtype: GgmlDType,
    /// One or two dimensions, rows contiguous; none is 0.
    pub(super) shape: Vec<usize>,
    /// Bytes of the file; they begin at a multiple of 8.
    pub(super) bytes: Range<usize>,
}

#[derive(Debug)]
pub(super) struct Header {
    pub(super) metadata: HashMap<String, Value>,
    pub(super) tensors: HashMap<String, TensorPlace>,
}

/// A tensor as the header describes it, not yet checked.
struct TensorEntry {
    name: String,
    /// Outermost dimension first.
    shape: Vec<u64>,
    dtype: u32,
    /// From the beginning of the tensors' data.
    offset: u64,
}

impl Header {
    /// Reads the header of a whole file, and checks every tensor against the file's length. `check_metadata` is asked
    /// first whether the tensors matter: a file of another architecture is refused for that, whatever its tensors are.
    pub(super) fn parse(
        file: &[u8],
        check_metadata: impl FnOnce(&HashMap<String, Value>) -> Result<(), String>,
    ) -> Result<Self, String> {
        let mut reader = Reader { file, position: 0 };
        let (metadata, entries) = reader.header()?;
        check_metadata(&metadata)?;
        let alignment = alignment(&metadata)?;
        let data_start = (reader.position as u64).next_multiple_of(alignment);
        let mut tensors = HashMap::new();
        for entry in entries {
            let place = entry.place(data_start, alignment, file.len())?;
            if tensors.insert(entry.name.clone(), place).is_some() {
                return Err(format!("tensor {} is there twice", entry.name));
            }
        }
        Ok(Self { metadata, tensors })
    }
}

fn alignment(metadata: &HashMap<String, Value>) -> Result<u64, String> {
    match metadata.get(ALIGNMENT) {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(&Value::Integer(alignment @ 8..=65_536)) if alignment.count_ones() == 1 => Ok(alignment as u64),
        Some(other) => {
            Err(format!("metadata {ALIGNMENT} must be a power of two between 8 and 65536, got {other:?}"))
        }
    }
}

impl TensorEntry {
    fn place(&self, data_start: u64, alignment: u64, file_len: usize) -> Result<TensorPlace, String> {
        let (name, shape) = (&self.name, &self.shape);
        let dtype = self.dtype()?;
        let row = match shape[..] {
            [row] | [_, row] => row,
            _ => return Err(format!("tensor {name} has {} dimensions, 1 or 2 were expected", shape.len())),
        };
        if shape.contains(&0) {
            return Err(format!("tensor {name} has shape {shape:?}, which is empty"));
        }
        let (block, block_bytes) = (dtype.block_size() as u64, dtype.type_size() as u64);
        if !row.is_multiple_of(block) {
            let dtype = dtype_name(dtype);
            return Err(format!("rows of {row} in tensor {name} are not whole {dtype} blocks of {block}"));
        }
        if !self.offset.is_multiple_of(alignment) {
            let offset = self.offset;
            return Err(format!("tensor {name} has offset {offset}, which is no multiple of {alignment}"));
        }
        let too_large = || format!("tensor {name} of shape {shape:?} is larger than any file");
        let num_weights = shape.iter().try_fold(1u64, |product, &dim| product.checked_mul(dim));
        let size = num_weights.and_then(|count| (count / block).checked_mul(block_bytes));
        let start = data_start.checked_add(self.offset).ok_or_else(too_large)?;
        let end = size.and_then(|size| start.checked_add(size)).ok_or_else(too_large)?;
        if end > file_len as u64 {
            return Err(format!(
                "truncated: tensor {name} ends at byte {end}, the file at {file_len} (fetch the file again)"
            ));
        }
        // What lies in a mapped file can be counted in usize.
        let shape = shape.iter().map(|&dim| dim as usize).collect();
        Ok(TensorPlace { dtype, shape, bytes: start as usize..end as usize })
    }

    fn dtype(&self) -> Result<GgmlDType, String> {
        if let Some((_, dtype)) = SUPPORTED_DTYPES.iter().find(|(number, _)| *number == self.dtype) {
            return Ok(*dtype);
        }
        let found = OTHER_DTYPES.iter().find(|(number, _)| *number == self.dtype);
        let found = found.map_or_else(|| format!("of type {}", self.dtype), |(_, name)| (*name).to_owned());
        let known = SUPPORTED_DTYPES.map(|(_, dtype)| dtype_name(dtype)).join(", ");
        Err(format!("tensor {} is {found}; supported types are {known}", self.name))
    }
}

/// Reads little-endian values one after the other.
struct Reader<'a> {
    file: &'a [u8],
    position: usize,
}

impl Reader<'_> {
    fn header(&mut self) -> Result<(HashMap<String, Value>, Vec<TensorEntry>), String> {
        self.bytes(4)?;
        match self.u32()? {
            2 | 3 => {}
            version if version.swap_bytes() <= 3 => return Err("big-endian GGUF is not supported".to_owned()),
            version => return Err(format!("GGUF version {version} is not supported (2 and 3 are)")),
        }
        let (num_tensors, num_values) = (self.u64()?, self.u64()?);
        let mut metadata = HashMap::new();
        for _ in 0..num_values {
            let key = self.text()?;
            let kind = self.u32()?;
            let value = self.value(kind, 0).map_err(|problem| format!("metadata {key}: {problem}"))?;
            metadata.insert(key, value);
        }
        let mut entries = Vec::new();
        for _ in 0..num_tensors {
            entries.push(self.tensor_entry()?);
        }
        Ok((metadata, entries))
    }

    fn tensor_entry(&mut self) -> Result<TensorEntry, String> {
        let name = self.text()?;
        let num_dimensions = self.u32()?;
        if num_dimensions > MAX_DIMENSIONS {
            return Err(format!("tensor {name} has {num_dimensions} dimensions, 1 or 2 were expected"));
        }
        let mut shape = Vec::new();
        for _ in 0..num_dimensions {
            shape.push(self.u64()?);
        }
        // The file has the innermost dimension first.
        shape.reverse();
        Ok(TensorEntry { name, shape, dtype: self.u32()?, offset: self.u64()? })
    }

    fn value(&mut self, kind: u32, depth: usize) -> Result<Value, String> {
        Ok(match kind {
            0 => Value::Integer(self.array::<1>().map(u8::from_le_bytes)?.into()),
            1 => Value::Integer(self.array().map(i8::from_le_bytes)?.into()),
            2 => Value::Integer(self.array().map(u16::from_le_bytes)?.into()),
            3 => Value::Integer(self.array().map(i16::from_le_bytes)?.into()),
            4 => Value::Integer(self.u32()?.into()),
            5 => Value::Integer(self.array().map(i32::from_le_bytes)?.into()),
            6 => Value::Float(self.array().map(f32::from_le_bytes)?.into()),
            7 => match self.bytes(1)? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                other => return Err(format!("{} is neither true nor false", other[0])),
            },
            8 => Value::Text(self.text()?),
            9 if depth < MAX_DEPTH => self.list(depth + 1)?,
            9 => return Err(format!("lists are nested more than {MAX_DEPTH} deep")),
            10 => Value::Integer(self.u64()?.into()),
            11 => Value::Integer(self.array().map(i64::from_le_bytes)?.into()),
            12 => Value::Float(self.array().map(f64::from_le_bytes)?),
            other => return Err(format!("value type {other} does not exist")),
        })
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        let (kind, len) = (self.u32()?, self.u64()?);
        // Grown as values are read, so that a length that lies costs nothing.
        let mut values = Vec::new();
        for _ in 0..len {
            values.push(self.value(kind, depth)?);
        }
        Ok(Value::List(values))
    }

    /// A text; files have been seen with zero bytes at the end, and with bytes that are not UTF-8.
    fn text(&mut self) -> Result<String, String> {
        let len = self.u64()?;
        let bytes = self.bytes(usize::try_from(len).unwrap_or(usize::MAX))?;
        let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        Ok(self.bytes(N)?.try_into().expect("as many bytes as were asked for"))
    }

    fn bytes(&mut self, len: usize) -> Result<&[u8], String> {
        let end = self.position.checked_add(len).filter(|&end| end <= self.file.len());
        let end = end.ok_or_else(|| {
            format!("damaged or truncated GGUF header at byte {} (fetch the file again)", self.position)
        })?;
        let bytes = &self.file[self.position..end];
        self.position = end;
        Ok(bytes)
    }
}
