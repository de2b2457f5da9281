//! Rows as Apache Parquet: each column with its type, any value of it optional, in groups of rows that are compressed with
//! Snappy, so that no more than one group is in memory.

use std::io::{self, Write};
use std::mem;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use super::grid::Cell;
use crate::record::{AnswerColumn, ColumnType};

/// Rows of a group, where they are small.
const MAX_GROUP_ROWS: usize = 1 << 17;

/// Bytes of text and token ids of a group, where rows are large.
const MAX_GROUP_BYTES: usize = 64 << 20;

/// Writes a Parquet file.
pub struct ParquetWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<Column>,
    num_rows: usize,
    num_bytes: usize,
}

/// A column of the group at hand.
struct Column {
    name: String,
    values: Values,
    /// How much of each value there is: [`Self::MISSING`], or more.
    definition: Vec<i16>,
    /// Whether each value goes on with a list (1), or begins a row (0).
    repetition: Vec<i16>,
}

/// The values that are not missing.
enum Values {
    Integer(Vec<i64>),
    Real(Vec<f64>),
    Text(Vec<ByteArray>),
    Boolean(Vec<bool>),
    Tokens(Vec<i64>),
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub(super) fn new(out: W, columns: &[AnswerColumn]) -> io::Result<Self> {
        let properties = WriterProperties::builder()
            .set_created_by(concat!("speclora version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::SNAPPY)
            .build();
        let file =
            schema(columns).and_then(|schema| SerializedFileWriter::new(out, schema, Arc::new(properties)));
        let columns = columns.iter().map(Column::new).collect();
        Ok(Self { file: file.map_err(to_io)?, columns, num_rows: 0, num_bytes: 0 })
    }

    /// Takes a row; a group that is full is written.
    ///
    /// # Errors
    /// If it cannot be written, or a cell is not of its column's type.
    pub(super) fn push(&mut self, cells: &[Cell]) -> io::Result<()> {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            self.num_bytes += column.push(cell)?;
        }
        self.num_rows += 1;
        if self.num_rows >= MAX_GROUP_ROWS || self.num_bytes >= MAX_GROUP_BYTES {
            self.write_group()?;
        }
        Ok(())
    }

    /// Writes the last group and the footer.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.num_rows > 0 {
            self.write_group()?;
        }
        self.file.finish().map_err(to_io)?;
        Ok(())
    }

    fn write_group(&mut self) -> io::Result<()> {
        let mut write = || -> Result<()> {
            let mut group = self.file.next_row_group()?;
            for column in &mut self.columns {
                let writer = group.next_column()?.expect("the group has the columns of the schema");
                column.write(writer)?;
            }
            group.close()?;
            Ok(())
        };
        write().map_err(to_io)?;
        (self.num_rows, self.num_bytes) = (0, 0);
        Ok(())
    }
}

impl Column {
    /// The definition of a value that is missing; one that is there has 1, but an element of a list has 2.
    const MISSING: i16 = 0;

    fn new(column: &AnswerColumn) -> Self {
        let values = match column.holds {
            ColumnType::Integer => Values::Integer(vec![]),
            ColumnType::Real => Values::Real(vec![]),
            ColumnType::Text => Values::Text(vec![]),
            ColumnType::Boolean => Values::Boolean(vec![]),
            ColumnType::Tokens => Values::Tokens(vec![]),
        };
        Self { name: column.name.clone(), values, definition: vec![], repetition: vec![] }
    }

    /// Takes a value, and returns how many bytes it has beside its place.
    fn push(&mut self, cell: &Cell) -> io::Result<usize> {
        let mut num_bytes = 0;
        match (&mut self.values, cell) {
            (_, Cell::Missing) => return Ok(self.define(Self::MISSING)),
            (Values::Integer(values), Cell::Integer(value)) => values.push(*value),
            (Values::Real(values), Cell::Float(value, _)) => values.push(*value),
            (Values::Real(values), Cell::Integer(value)) => values.push(*value as f64),
            (Values::Boolean(values), Cell::Integer(value)) => values.push(*value != 0),
            (Values::Text(values), Cell::Text(text)) => {
                num_bytes = text.len();
                values.push(ByteArray::from(text.as_str()));
            }
            (Values::Tokens(values), Cell::Tokens(tokens)) => {
                values.extend(tokens.iter().copied().map(i64::from));
                self.definition.extend(tokens.iter().map(|_| 2));
                self.repetition.extend((0..tokens.len()).map(|index| i16::from(index > 0)));
                return Ok(if tokens.is_empty() { self.define(1) } else { size_of_val(tokens.as_slice()) });
            }
            (_, other) => {
                let problem = format!("column {}: {other:?} is not of its type", self.name);
                return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
            }
        }
        self.define(1);
        Ok(num_bytes)
    }

    /// Takes how much there is of a value that stands in no list, and returns that it needs no room.
    fn define(&mut self, definition: i16) -> usize {
        self.definition.push(definition);
        self.repetition.push(0);
        0
    }

    /// Writes what was taken, and is empty again.
    fn write(&mut self, mut writer: SerializedColumnWriter<'_>) -> Result<()> {
        let (definition, repetition) = (mem::take(&mut self.definition), mem::take(&mut self.repetition));
        let levels = (definition.as_slice(), None);
        match &mut self.values {
            Values::Integer(values) => write::<Int64Type>(&mut writer, values, levels),
            Values::Real(values) => write::<DoubleType>(&mut writer, values, levels),
            Values::Text(values) => write::<ByteArrayType>(&mut writer, values, levels),
            Values::Boolean(values) => write::<BoolType>(&mut writer, values, levels),
            Values::Tokens(values) => {
                write::<Int64Type>(&mut writer, values, (&definition, Some(&repetition)))
            }
        }?;
        writer.close()
    }
}

fn write<T: DataType>(
    writer: &mut SerializedColumnWriter<'_>,
    values: &mut Vec<T::T>,
    (definition, repetition): (&[i16], Option<&[i16]>),
) -> Result<()> {
    writer.typed::<T>().write_batch(values, Some(definition), repetition)?;
    values.clear();
    Ok(())
}

fn schema(columns: &[AnswerColumn]) -> Result<TypePtr> {
    let fields = columns.iter().map(|column| field(column).map(Arc::new));
    let schema = Type::group_type_builder("schema").with_fields(fields.collect::<Result<_>>()?);
    Ok(Arc::new(schema.build()?))
}

fn field(column: &AnswerColumn) -> Result<Type> {
    let optional =
        |name, physical| Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
    match column.holds {
        ColumnType::Integer => optional(&column.name, Physical::INT64).build(),
        ColumnType::Real => optional(&column.name, Physical::DOUBLE).build(),
        ColumnType::Boolean => optional(&column.name, Physical::BOOLEAN).build(),
        ColumnType::Text => {
            optional(&column.name, Physical::BYTE_ARRAY).with_logical_type(Some(LogicalType::String)).build()
        }
        // The three levels of a list (Apache Parquet, LogicalTypes.md): the list, its places, what is at each.
        ColumnType::Tokens => {
            let element = Type::primitive_type_builder("element", Physical::INT64)
                .with_repetition(Repetition::REQUIRED)
                .build()?;
            let places = Type::group_type_builder("list")
                .with_repetition(Repetition::REPEATED)
                .with_fields(vec![Arc::new(element)])
                .build()?;
            Type::group_type_builder(&column.name)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(Some(LogicalType::List))
                .with_fields(vec![Arc::new(places)])
                .build()
        }
    }
}

/// What the file below could not do, as it said it; a closed pipe stays one.
fn to_io(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(cause) => *cause,
            Err(cause) => io::Error::other(cause),
        },
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::Field;

    use super::super::grid::Style;
    use super::*;

    fn columns() -> Vec<AnswerColumn> {
        let columns = [
            ("text", ColumnType::Text),
            ("integer", ColumnType::Integer),
            ("real", ColumnType::Real),
            ("is_true", ColumnType::Boolean),
            ("output_tokens", ColumnType::Tokens),
            ("nothing", ColumnType::Real),
        ];
        columns.map(|(name, holds)| AnswerColumn { name: name.to_owned(), holds }).to_vec()
    }

    fn rows() -> Vec<Vec<Cell>> {
        let row = |text: &str, tokens: &[u32]| {
            vec![
                Cell::Text(text.to_owned()),
                Cell::Integer(i64::MIN),
                Cell::Float(1.0 / 3.0, Style::Decimals(4)),
                Cell::Integer(1),
                Cell::Tokens(tokens.to_vec()),
                Cell::Missing,
            ]
        };
        vec![row("日本 \"x\"\n", &[7, u32::MAX, 7]), vec![Cell::Missing; 6], row("", &[]), row("b", &[1])]
    }

    fn written(rows: &[Vec<Cell>]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = ParquetWriter::new(&mut out, &columns()).unwrap();
        rows.iter().for_each(|row| writer.push(row).unwrap());
        writer.finish().unwrap();
        out
    }

    /// The rows of a file, as cells.
    fn read(file: &[u8]) -> Vec<Vec<Cell>> {
        let reader = SerializedFileReader::new(stored(file)).unwrap();
        let rows = reader.get_row_iter(None).unwrap();
        let cell = |field: &Field| match field {
            Field::Null => Cell::Missing,
            Field::Long(value) => Cell::Integer(*value),
            Field::Double(value) => Cell::Float(*value, Style::Decimals(4)),
            Field::Str(text) => Cell::Text(text.clone()),
            Field::Bool(value) => Cell::Integer((*value).into()),
            Field::ListInternal(list) => {
                let token = |field: &Field| match field {
                    Field::Long(token) => u32::try_from(*token).unwrap(),
                    other => panic!("{other}"),
                };
                Cell::Tokens(list.elements().iter().map(token).collect())
            }
            other => panic!("{other}"),
        };
        rows.map(|row| row.unwrap().get_column_iter().map(|(_, field)| cell(field)).collect()).collect()
    }

    /// Puts bytes where the reader takes them from.
    fn stored(bytes: &[u8]) -> std::fs::File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn values_come_back_as_they_were_with_their_types() {
        assert_eq!(read(&written(&rows())), rows());
    }

    #[test]
    fn file_without_rows_and_column_without_values_are_valid() {
        assert_eq!(read(&written(&[])), Vec::<Vec<Cell>>::new());
        let nothing = vec![vec![Cell::Missing; 6]; 3];
        assert_eq!(read(&written(&nothing)), nothing);
    }

    #[test]
    fn many_rows_are_several_groups() {
        let rows: Vec<Vec<Cell>> = (0..MAX_GROUP_ROWS as i64 + 5)
            .map(|index| {
                let mut row = vec![Cell::Missing; 6];
                row[1] = Cell::Integer(index);
                row
            })
            .collect();
        let file = written(&rows);
        let reader = SerializedFileReader::new(stored(&file)).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 2);
        assert_eq!(read(&file).last(), rows.last());
    }

    #[test]
    fn value_of_another_type_is_an_error_that_names_the_column() {
        let mut out = Vec::new();
        let mut writer = ParquetWriter::new(&mut out, &columns()).unwrap();
        let mut row = vec![Cell::Missing; 6];
        row[1] = Cell::Text("x".to_owned());
        let problem = writer.push(&row).unwrap_err().to_string();
        assert_eq!(problem, "column integer: Text(\"x\") is not of its type");
    }
}
