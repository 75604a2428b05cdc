//! The few messages of ONNX (`onnx.proto3`, IR version 8) that lead to a graph's constants.
//!
//! Everything else in the file (operators, types, metadata) is skipped by its field number.
//! Nothing is computed here: the graph's meaning is written out in `forward.rs`.

use prost::Message;

/// `TensorProto.DataType.FLOAT`.
pub(super) const FLOAT: i32 = 1;

/// `ModelProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Model {
    #[prost(message, optional, tag = "7")]
    pub(super) graph: Option<Graph>,
}

/// `GraphProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub(super) nodes: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    pub(super) initializers: Vec<Tensor>,
}

/// `NodeProto`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Node {
    #[prost(message, repeated, tag = "5")]
    pub(super) attributes: Vec<Attribute>,
}

/// `AttributeProto`: of a `Constant`, the tensor; of an `If`, a branch.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Attribute {
    #[prost(message, optional, tag = "5")]
    pub(super) tensor: Option<Tensor>,
    #[prost(message, optional, boxed, tag = "6")]
    pub(super) graph: Option<Box<Graph>>,
}

/// `TensorProto`, of which only the raw little-endian form is read.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    pub(super) dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(super) data_type: i32,
    #[prost(string, tag = "8")]
    pub(super) name: String,
    #[prost(bytes = "vec", tag = "9")]
    pub(super) raw_data: Vec<u8>,
}

impl Graph {
    /// The tensors that stand in this graph itself, not in its branches.
    pub(super) fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        let constants = self.nodes.iter().flat_map(|node| &node.attributes);
        self.initializers.iter().chain(constants.filter_map(|it| it.tensor.as_ref()))
    }

    /// The graphs that hang in this one as branches.
    pub(super) fn branches(&self) -> impl Iterator<Item = &Self> {
        let attributes = self.nodes.iter().flat_map(|node| &node.attributes);
        attributes.filter_map(|it| it.graph.as_deref())
    }
}
