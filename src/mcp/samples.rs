//! What the official conformance suite calls, on this server's own transport: sample tools, prompts and resources.
//!
//! Only with the feature `conformance`, which no release has, and only where `CROSSCHECK_MCP_SAMPLES=1` asks for it. A
//! sample runs isolated, packed and written like a real tool, so what the suite judges is everything around the tools. The
//! eight tools stay beside them.

#![expect(
    deprecated,
    reason = "the older revisions, which the suite judges too, have logging, sampling and subscriptions"
)]

mod asking;
mod told;

use std::borrow::Cow;

use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ClientCapabilities, CompleteRequestParams, CompleteResult,
    CustomRequest, CustomResult, ErrorData, GetPromptRequestParams, GetPromptResponse, InputRequiredResult,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse,
    ServerCapabilities, ServerConfig, SetLevelRequestParams, SubscribeRequestParams,
    UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, RoleServer};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::mcp::isolate::isolate;
use crate::mcp::reply;
use crate::mcp::server::Server;
use crate::mcp::tools;

/// The server with the samples beside its tools.
pub(super) struct Sampled {
    server: Server,
}

impl Sampled {
    pub(super) fn new(server: Server) -> Self {
        Self { server }
    }

    /// Answers one call of a sample.
    async fn sample(
        &self,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = params.name.as_ref();
        let responses = json!(params.input_responses.clone().unwrap_or_default());
        let can = context.client_capabilities().unwrap_or_default();
        if name == "test_missing_capability" && can.sampling.is_none() {
            return Err(ErrorData::missing_required_client_capability(
                ClientCapabilities::builder().enable_sampling().build(),
            ));
        }
        match asking::round(name, &responses, params.request_state.as_deref(), &can) {
            asking::Round::Ask { requests, state } => {
                let requests = read(requests)?;
                return Ok(CallToolResponse::InputRequired(InputRequiredResult::new(
                    Some(requests),
                    state,
                )));
            }
            asking::Round::Refuse(why) => return Err(ErrorData::invalid_params(why, None)),
            asking::Round::Answered(text) => return packed(&told::text(&text)),
            asking::Round::None => {}
        }
        let result = match name {
            "test_tool_with_logging" | "test_logging_tool" => told::logging(&context).await,
            "test_tool_with_progress" => told::progress(&context),
            _ => match asking::question(name, params.arguments.as_ref()) {
                Some(question) => told::text(&asking::put(&context, question).await),
                None => told::plain(name),
            },
        };
        packed(&result)
    }
}

/// Reads a result that is written here as JSON, the way in which the suite describes it. rmcp takes what only the newer
/// revision has out of an answer to an older host.
fn complete<T: DeserializeOwned>(mut value: Value) -> Result<T, ErrorData> {
    value["resultType"] = json!("complete");
    read(value)
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value)
        .map_err(|error| ErrorData::internal_error(format!("a sample is wrong: {error}"), None))
}

fn packed(result: &Value) -> Result<CallToolResponse, ErrorData> {
    reply::pack_plain(result)
        .map(CallToolResponse::Complete)
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

impl ServerHandler for Sampled {
    fn get_info(&self) -> ServerConfig {
        let mut info = self.server.get_info();
        info.capabilities = ServerCapabilities::builder()
            .enable_completions()
            .enable_logging()
            .enable_prompts()
            .enable_resources()
            .enable_tools()
            .build();
        info
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.server.supported_protocol_versions()
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut all = tools::list(crate::domain::peer::Peer::default()).to_vec();
        for name in told::TOOLS.into_iter().chain(asking::TOOLS) {
            let description = format!("What the conformance suite calls {name}.");
            all.push(read(
                json!({"name": name, "description": description, "inputSchema": {"type": "object"}}),
            )?);
        }
        Ok(ListToolsResult::with_all_items(all))
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let is_sample = told::TOOLS
            .into_iter()
            .chain(asking::TOOLS)
            .any(|name| name == params.name);
        if !is_sample {
            return self.server.call_tool(params, context).await;
        }
        isolate(self.sample(params, context))
            .await
            .unwrap_or_else(|_| Err(ErrorData::internal_error("a sample panicked", None)))
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        complete(json!({"prompts": told::prompts()}))
    }

    async fn get_prompt(
        &self,
        params: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let responses = json!(params.input_responses.clone().unwrap_or_default());
        if params.name == "test_input_required_result_prompt" && responses["user_context"].is_null() {
            let requests = read(asking::prompt_context())?;
            return Ok(GetPromptResponse::InputRequired(InputRequiredResult::new(
                Some(requests),
                None,
            )));
        }
        let arguments = json!(params.arguments.clone().unwrap_or_default());
        let messages = told::prompt(&params.name, &arguments)
            .ok_or_else(|| ErrorData::invalid_params("there is no such prompt", None))?;
        Ok(GetPromptResponse::Complete(complete(
            json!({"messages": messages}),
        )?))
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        complete(json!({"resources": told::resources()}))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        complete(
            json!({"resourceTemplates": [{"uriTemplate": "test://template/{id}/data", "name": "template",
            "mimeType": "application/json"}]}),
        )
    }

    async fn read_resource(
        &self,
        params: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let contents = told::resource(&params.uri).ok_or_else(|| {
            let uri = json!({"uri": params.uri});
            ErrorData::resource_not_found("there is no such resource", Some(uri))
        })?;
        Ok(ReadResourceResponse::Complete(complete(
            json!({"contents": [contents]}),
        )?))
    }

    async fn subscribe(
        &self,
        _: SubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(
        &self,
        _: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn set_level(
        &self,
        _: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        complete(json!({"completion": {"values": ["paris", "park"], "total": 2, "hasMore": false}}))
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        self.server.on_custom_request(request, context).await
    }
}
