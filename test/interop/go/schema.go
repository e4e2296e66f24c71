package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Schema has the messages of protos/*.proto, read from the files themselves: nothing of them is written here again.
type Schema struct {
	messages map[string]protoreflect.MessageDescriptor
}

func LoadSchema(dir string) (*Schema, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.proto"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no .proto files in %s", dir)
	}
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = filepath.Base(path)
	}
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{ImportPaths: []string{dir}}}
	files, err := compiler.Compile(context.Background(), names...)
	if err != nil {
		return nil, err
	}
	schema := &Schema{messages: map[string]protoreflect.MessageDescriptor{}}
	for _, file := range files {
		all := file.Messages()
		for i := 0; i < all.Len(); i++ {
			// Trace files have a package of their own; names are unique within moloch.v1.
			if file.Package() == "moloch.v1" {
				schema.messages[string(all.Get(i).Name())] = all.Get(i)
			}
		}
	}
	return schema, nil
}

// Msg is a message whose fields are read and written by their names in the .proto file. A name that is not there panics.
type Msg struct{ raw protoreflect.Message }

func (s *Schema) New(name string) Msg {
	descriptor, ok := s.messages[name]
	if !ok {
		panic("no message " + name + " in package moloch.v1")
	}
	return Msg{dynamicpb.NewMessage(descriptor)}
}

// Decode reads by ordinary protobuf rules.
func (s *Schema) Decode(name string, raw []byte) (Msg, error) {
	message := s.New(name)
	if err := proto.Unmarshal(raw, message.raw.Interface()); err != nil {
		return Msg{}, fmt.Errorf("%s: %w", name, err)
	}
	return message, nil
}

// DecodeCanonical refuses what is not the one encoding of the message (protocol §2).
func (s *Schema) DecodeCanonical(name string, raw []byte) (Msg, error) {
	message, err := s.Decode(name, raw)
	if err != nil {
		return Msg{}, err
	}
	if unknown := unknownFields(message.raw); unknown {
		return Msg{}, fmt.Errorf("%s: NON_CANONICAL: a field that the layout does not have", name)
	}
	if !bytes.Equal(message.Encode(), raw) {
		return Msg{}, fmt.Errorf("%s: NON_CANONICAL: encodes to other bytes", name)
	}
	return message, nil
}

func unknownFields(m protoreflect.Message) bool {
	if len(m.GetUnknown()) > 0 {
		return true
	}
	found := false
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Message() == nil {
			return true
		}
		if !field.IsList() {
			found = found || unknownFields(value.Message())
			return !found
		}
		for i := 0; i < value.List().Len(); i++ {
			found = found || unknownFields(value.List().Get(i).Message())
		}
		return !found
	})
	return found
}

// Encode writes fields in ascending order, which is the canonical form.
func (m Msg) Encode() []byte {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.raw.Interface())
	if err != nil {
		panic(err)
	}
	return raw
}

func (m Msg) field(name string) protoreflect.FieldDescriptor {
	field := m.raw.Descriptor().Fields().ByName(protoreflect.Name(name))
	if field == nil {
		panic(fmt.Sprintf("no field %s in %s", name, m.raw.Descriptor().Name()))
	}
	return field
}

func (m Msg) Has(name string) bool { return m.raw.Has(m.field(name)) }

// Uint reads a varint or an enum.
func (m Msg) Uint(name string) uint64 {
	field := m.field(name)
	if field.Kind() == protoreflect.EnumKind {
		return uint64(m.raw.Get(field).Enum())
	}
	return m.raw.Get(field).Uint()
}

func (m Msg) Bytes(name string) []byte { return m.raw.Get(m.field(name)).Bytes() }

func (m Msg) String(name string) string { return m.raw.Get(m.field(name)).String() }

func (m Msg) Sub(name string) Msg { return Msg{m.raw.Get(m.field(name)).Message()} }

func (m Msg) List(name string) []Msg {
	list := m.raw.Get(m.field(name)).List()
	out := make([]Msg, list.Len())
	for i := range out {
		out[i] = Msg{list.Get(i).Message()}
	}
	return out
}

func (m Msg) BytesList(name string) [][]byte {
	list := m.raw.Get(m.field(name)).List()
	out := make([][]byte, list.Len())
	for i := range out {
		out[i] = list.Get(i).Bytes()
	}
	return out
}

// Set writes a field and returns the message. Lists of messages are given as []Msg.
func (m Msg) Set(name string, value any) Msg {
	field := m.field(name)
	switch v := value.(type) {
	case uint64:
		switch field.Kind() {
		case protoreflect.Uint32Kind:
			m.raw.Set(field, protoreflect.ValueOfUint32(uint32(v)))
		case protoreflect.EnumKind:
			m.raw.Set(field, protoreflect.ValueOfEnum(protoreflect.EnumNumber(v)))
		default:
			m.raw.Set(field, protoreflect.ValueOfUint64(v))
		}
	case []byte:
		m.raw.Set(field, protoreflect.ValueOfBytes(v))
	case string:
		m.raw.Set(field, protoreflect.ValueOfString(v))
	case Msg:
		m.raw.Set(field, protoreflect.ValueOfMessage(v.raw))
	case []Msg:
		list := m.raw.Mutable(field).List()
		for _, item := range v {
			list.Append(protoreflect.ValueOfMessage(item.raw))
		}
	default:
		panic(fmt.Sprintf("cannot set %s to %T", name, value))
	}
	return m
}
